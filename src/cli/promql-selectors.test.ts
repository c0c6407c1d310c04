import { describe, expect, it } from 'vitest';
import { selectorsOf } from './promql-selectors.ts';

const texts = (query: string) => selectorsOf(query).map(({ text }) => text);

describe('the selectors of a query', () => {
  it('are its metrics with their matchers, without functions, words, labels, windows and numbers', () => {
    expect(texts('up')).toEqual(['up']);
    expect(texts('sum by (job, le) (rate(http_total{code=~"5.."}[5m] offset 1h)) > bool 1e3')).toEqual([
      'http_total{code=~"5.."}',
    ]);
    expect(texts('a / on (job) group_left (le) b or sum(c) without (d) unless e @ end()')).toEqual([
      'a',
      'b',
      'c',
      'e',
    ]);
    expect(texts('sum without (instance) (up) + up # and so on')).toEqual(['up']);
    expect(texts('histogram_quantile(0.9, sum by (le) (rate(x_bucket[5m:1m])))')).toEqual(['x_bucket']);
    expect(texts('label_replace(up, "a", "$1", "b", "nothing{}")')).toEqual(['up']);
    expect(texts('Inf + NaN + 0x1F + 5m')).toEqual([]);
  });

  it('have the name in braces too, and the values that a label must have', () => {
    expect(selectorsOf('{__name__="a.b", job=`x`, code!="1", le=""}')).toMatchObject([
      { name: 'a.b', equals: [{ label: 'job', value: 'x' }] },
    ]);
    expect(selectorsOf('{"a.b", job="x\\"y}"}')).toMatchObject([
      { name: 'a.b', equals: [{ label: 'job', value: 'x"y}' }] },
    ]);
    expect(selectorsOf('{job="x"}')).toMatchObject([{ name: undefined, text: '{job="x"}' }]);
  });
});
