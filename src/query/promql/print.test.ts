import { describe, expect, it } from 'vitest';
import { parsePromql } from './parse/parse.ts';
import { prettyPrint, print, printDuration } from './print.ts';

const formatted = (query: string): string => print(parsePromql(query).expression);

describe('an expression printed', () => {
  it.each([
    ['SUM(x)BY(a,b)', 'sum by (a, b) (x)'],
    ['sum without() (x)', 'sum without () (x)'],
    ['topk(3,x)', 'topk(3, x)'],
    ['-1^2', '-1 ^ 2'],
    ['a+on(x)group_left(y)b', 'a + on (x) group_left (y) b'],
    ['a>bool ignoring(x) b', 'a > bool ignoring (x) b'],
    ['x{b="1",a=~"2"}[300] offset -90s @ start()', 'x{a=~"2",b="1"}[5m] @ start() offset -1m30s'],
    ['x[1h:]offset 1w', 'x[1h:] offset 1w'],
    ['x@1.5', 'x @ 1.500'],
    ['{"a b"}', '{__name__="a b"}'],
    ['sum by ("a b") (x)', 'sum by ("a b") (x)'],
    ['5m + 1e3', '5m + 1000'],
    [`label_replace(x, 'a', "\\"", \`\\d\`, "")`, 'label_replace(x, "a", "\\"", "\\\\d", "")'],
  ])('%s is %s', (query, text) => {
    expect(formatted(query)).toBe(text);
    expect(formatted(text)).toBe(text);
  });

  it('stands on several lines where it is longer than a line', () => {
    const long = 'a_metric_with_a_rather_long_name{label="value"}';
    expect(prettyPrint(parsePromql(`sum by (x) (rate(${long}[5m])) / (sum(${long}) + on(x) ${long})`).expression)).toBe(
      [
        `  sum by (x) (rate(${long}[5m]))`,
        '/',
        '  (',
        `      sum(${long})`,
        '    + on (x)',
        `      ${long}`,
        '  )',
      ].join('\n'),
    );
  });
});

describe('a duration printed', () => {
  it.each([
    [0, '0s'],
    [90_000, '1m30s'],
    [86_400_000 * 7, '1w'],
    [86_400_000 * 90, '90d'],
    [86_400_000 * 365, '1y'],
    [1, '1ms'],
  ])('%i ms is %s', (durationMs, text) => {
    expect(printDuration(durationMs)).toBe(text);
  });
});
