import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parser as grammar } from '@prometheus-io/lezer-promql';
import { describe, expect, it } from 'vitest';
import { PromqlError } from '../error.ts';
import { print } from '../print.ts';
import { maxQueryLength, parsePromql, parseSelectorText } from './parse.ts';

const messageOf = (query: string): string => {
  try {
    parsePromql(query);
  } catch (error) {
    if (error instanceof PromqlError) return error.message.replace('parse error: ', '');
    throw error;
  }
  return 'is a query';
};

describe('what binds how', () => {
  it.each([
    ['-1^2', -1],
    ['-(1)^2', -1],
    ['2^3^2', 512],
    ['2^-1', 0.5],
    ['-2 * 3 + 1', -5],
    ['1 + 2 * 3 % 2', 1],
    ['2.', 2],
    ['0x1F', 31],
    ['1_000', 1000],
    ['1h30m', 5400],
    ['+Inf', Number.POSITIVE_INFINITY],
    ['1 == bool 1 + 0', 1],
  ])('%s is %d', async (query, expected) => {
    const { instantQuery } = await import('../engine.ts');
    const options = {
      source: { select: () => Promise.resolve([]) },
      signal: new AbortController().signal,
      lookbackMs: 1,
      maxPoints: 100,
    };
    const { value } = await instantQuery(parsePromql(query), 0, options);
    expect(value).toEqual({ kind: 'scalar', values: Float64Array.of(expected) });
  });

  it.each(['a + b offset 5m', '-x offset 5m', 'a ^ b @ 5', '-(rate(x[5m]))', 'a[5m:1m] @ end() offset 1m'])(
    '%s: modifiers belong to what stands right before them',
    (query) => {
      const { expression } = parsePromql(query);
      const last = expression.kind === 'binary' ? expression.right : expression;
      const moved = last.kind === 'unary' ? last.inner : last;
      expect(['vector_selector', 'subquery', 'parentheses']).toContain(moved.kind);
    },
  );
});

describe('what is no query', () => {
  it.each([
    ['(', '1:2: unclosed left parenthesis'],
    ['(1))', "1:5: unexpected right parenthesis ')'"],
    ['foo[5m', '1:7: unclosed left bracket'],
    ['a + fill_left(1) fill_left(2) b', '1:27: unexpected "("'],
    ['a + fill(1) fill_right(2) b', '1:23: unexpected "("'],
    ['a + fill(b) c', '1:10: unexpected identifier "b"'],
    ['fill(1)', '1:5: unexpected "("'],
    ['x[5m:] smoothed', '1:1: smoothed modifier is not supported for subqueries'],
    ['(x) anchored', '1:1: anchored modifier not implemented'],
    ['x anchored smoothed', '1:1: anchored and smoothed modifiers cannot be used together'],
    ['histogram_quantiles(x, "q")', '1:1: expected at least 3 argument(s) in call to "histogram_quantiles", got 2'],
    ['foo[5mm]', '1:5: bad number or duration syntax: "5mm"'],
    ['foo[1m1h]', '1:5: not a valid duration string: "1m1h"'],
    ['foo[]', '1:5: unexpected "]" in subquery or range selector, expected number, duration, step(), or range()'],
    ['foo[5m:=]', '1:8: unexpected "=" in subquery selector, expected number, duration, step(), range(), or "]"'],
    ['foo[:5m]', '1:6: unexpected colon before duration in duration expression'],
    ['foo[and]', "1:5: unexpected character in duration expression: 'a'"],
    ['foo[-', '1:6: unexpected end of input in duration expression'],
    ['foo[1_000h45s]', '1:5: unknown unit "_" in duration "1_000h45s"'],
    ['foo offset 30stop', '1:12: bad number or duration syntax: "30st"'],
    ['0x1Fn', '1:1: bad number or duration syntax: "0x1F"'],
    ['11e3001900', '1:1: error parsing number: strconv.ParseFloat: parsing "11e3001900": value out of range'],
    ['a end()', '1:3: unexpected "end"'],
    ['a + @ b', '1:5: unexpected <op:@>'],
    ['{"a" b="c"}', '1:6: unexpected identifier "b" in label matching, expected "," or "}"'],
    ['unknown(a)}', '1:1: unknown function with name "unknown"'],
    ['(a)[5m] ` ', '1:4: ranges only allowed for vector selectors'],
    ['{a=~")"} "', '1:2: error parsing regexp: unexpected ): `)`'],
    ['foo[5m:1m:2m]', "1:10: unexpected colon ':'"],
    ['foo[5m][5m]', '1:8: ranges only allowed for vector selectors'],
    ['foo offset 1m[5m]', '1:14: no offset modifiers allowed before range'],
    ['foo offset', '1:11: unexpected end of input in offset, expected number, duration, step(), or range()'],
    ['foo @', '1:6: unexpected end of input in @, expected timestamp'],
    ['foo @ Inf', '1:1: timestamp out of bounds for @ modifier: +Inf'],
    ['foo offset 1m offset 2m', '1:1: offset may not be set multiple times'],
    ['foo @ 1 @ 2', '1:1: @ <timestamp> may not be set multiple times'],
    [
      '(foo) offset 1m',
      '1:1: offset modifier must be preceded by an instant vector selector or range vector selector or a subquery',
    ],
    ['foo{', '1:5: unexpected end of input inside braces'],
    ['foo}', "1:4: unexpected character: '}'"],
    ['foo{a}', '1:6: unexpected "}" in label matching, expected label matching operator'],
    ['foo{a=b}', '1:7: unexpected identifier "b" in label matching, expected string'],
    ['foo{a="b" c="d"}', '1:11: unexpected identifier "c" in label matching, expected "," or "}"'],
    ['foo{,}', '1:5: unexpected "," in label matching, expected identifier or "}"'],
    ['foo{a:b="c"}', "1:6: unexpected character inside braces: ':'"],
    ['foo{a!="b', '1:8: unterminated quoted string'],
    ['foo{a=~"*"}', '1:5: error parsing regexp: missing argument to repetition operator: `*`'],
    ['`foo', '1:1: unterminated raw string'],
    ['1 !~ 2', "1:3: unexpected character after '!': '~'"],
    ['1 =~ 2', "1:3: unexpected character after '=': '~'"],
    ['*1', '1:1: unexpected <op:*>'],
    ['1 +', '1:4: unexpected end of input'],
    ['sum', 'is a query'],
    ['sum(', '1:5: unclosed left parenthesis'],
    ['sum(a b)', '1:7: unexpected identifier "b" in aggregation'],
    ['sum(abs(a,,b))', '1:10: trailing commas not allowed in function call args'],
    ['sum()', '1:1: no arguments for aggregate expression provided'],
    ['sum(a, b)', '1:1: wrong number of arguments for aggregate expression provided, expected 1, got 2'],
    ['topk(a)', '1:1: wrong number of arguments for aggregate expression provided, expected 2, got 1'],
    ['topk("a", b)', '1:6: expected type scalar in aggregation parameter, got string'],
    ['sum(1)', '1:5: expected type instant vector in aggregation expression, got scalar'],
    ['sum(a) by b', '1:11: unexpected identifier "b" in grouping opts, expected "("'],
    ['sum by (a b) (c)', '1:11: unexpected identifier "b" in grouping opts, expected "," or ")"'],
    ['sum by (1) (c)', '1:9: unexpected number "1" in grouping opts, expected label'],
    ['rate(a[5m],)', '1:11: trailing commas not allowed in function call args'],
    ['Rate(a[5m])', '1:1: unknown function with name "Rate"'],
    ['clamp(a)', '1:1: expected 3 argument(s) in call to "clamp", got 1'],
    ['round(a, 1, 2)', '1:1: expected at most 2 argument(s) in call to "round", got 3'],
    ['label_join(a, "b")', '1:1: expected at least 3 argument(s) in call to "label_join", got 2'],
    ['abs(1)', '1:5: expected type instant vector in call to function "abs", got scalar'],
    ['1 == 1', '1:3: comparisons between scalars must use BOOL modifier'],
    ['a + bool b', '1:3: bool modifier can only be used on comparison operators'],
    ['1 and a', '1:1: set operator "and" not allowed in binary scalar expression'],
    ['a and on(b) group_left c', '1:1: no grouping allowed for "and" operation'],
    ['a + on(b) group_left(b) c', '1:3: label "b" must not occur in ON and GROUP clause at once'],
    ['a + on(b) 1', '1:1: vector matching only allowed between instant vectors'],
    ['a + "b"', '1:5: binary expression must contain only scalar and instant vector types'],
    [
      '-a[5m]',
      '1:1: unary expression only allowed on expressions of type scalar or instant vector, got "range vector"',
    ],
    ['rate(a[5m])[5m]', '1:12: ranges only allowed for vector selectors'],
    ['1[5m:]', '1:1: subquery is only allowed on instant vector, got scalar instead'],
    ['a b', '1:3: unexpected identifier "b"'],
    ['a # comment', 'is a query'],
    ['# comment', '1:1: no expression found in input'],
    ['a "b"', '1:3: unexpected string "\\"b\\""'],
    ['a "bbbbbbbbbbbbbbb"', '1:3: unexpected string "\\"bbbbbbbbb"...'],
    ['a by', '1:3: unexpected <by>'],
    ['a sum b', '1:3: unexpected <aggr:sum>'],
    ['on', '1:1: unexpected <on>'],
    ['foo{a="\\d"}', "1:7: unknown escape sequence U+0064 'd'"],
    ['"\\400"', '1:1: escape sequence is an invalid Unicode code point'],
    ['"\\xg0"', "1:1: illegal character U+0067 'g' in escape sequence"],
    ['"\\', '1:1: escape sequence not terminated'],
  ])('%s', (query, message) => {
    expect(messageOf(query)).toBe(message);
  });
});

describe('a selector that stands alone', () => {
  it('has its name first', () => {
    expect(parseSelectorText('up{job="a"}').map(({ name }) => name)).toEqual(['__name__', 'job']);
  });

  it.each(['up[5m]', 'up offset 1m', 'sum(up)', '(up)', '1', 'up + up', ''])('is not %s', (text) => {
    expect(() => parseSelectorText(text)).toThrow(PromqlError);
  });
});

interface Suite {
  readonly cases: readonly { readonly eval: { readonly expr: string } }[];
}

const directory = resolve(process.env['CONFORMANCE_DIR'] ?? '../shared/conformance');
const files = ['promql/cases.json', 'promql/recorded.json', 'mesh/dashboard-cases.json'].map((file) =>
  resolve(directory, file),
);
const found = files.filter((file) => existsSync(file));

describe.skipIf(found.length === 0)(`the queries of ${found.length} suites (skipped where there are none)`, () => {
  const queries = new Set<string>();
  for (const file of found) {
    const suite: Suite = JSON.parse(readFileSync(file, 'utf8'));
    for (const { eval: evaluation } of suite.cases) queries.add(evaluation.expr);
  }

  it('are no others for being printed and read again', () => {
    for (const query of queries) {
      if (messageOf(query) !== 'is a query') continue;
      const printed = print(parsePromql(query).expression);
      expect(print(parsePromql(printed).expression)).toBe(printed);
    }
  });

  it("are queries to the editors' grammar too", () => {
    const strict = grammar.configure({ strict: true });
    const refused = [...queries].filter((query) => {
      if (messageOf(query) !== 'is a query') return false;
      try {
        strict.parse(query);
        return false;
      } catch (error) {
        if (error instanceof SyntaxError) return true;
        throw error;
      }
    });
    // Prometheus takes 2. and a word such as 0x_1 for numbers, and has `min_of` outside of durations; the grammar does not.
    expect(refused.filter((query) => !/\d\.(?!\d)|0x_|\d_|m(?:in|ax)_of/.test(query))).toEqual([]);
  });
});

describe('a query as long as one may be', () => {
  const ones = '1'.repeat(maxQueryLength - 20);

  // Looking at each digit once for each other one would take half a minute.
  it.each([
    ['a range', `x[${ones}e]`],
    ['an offset', `x offset ${ones}e`],
    ['a time', `x @ ${ones}e`],
    ['a number', `${ones}e`],
    ['a number of parts', `${ones.replaceAll('11', '1_')}e`],
    ['a duration', `${ones}h1`],
  ])(
    'is read in a time that grows with its length: %s',
    (_, query) => {
      expect(() => parsePromql(query)).toThrow(PromqlError);
    },
    10_000,
  );
});
