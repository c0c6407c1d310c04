import { describe, expect, it } from 'vitest';
import { createMemorySource } from '../../../test/fixtures/memory-samples.ts';
import { createSeries, type Label, type SeriesSamples } from '../../model/sample.ts';
import { type EngineOptions, instantQuery, type QueryAnswer, rangeQuery } from './engine.ts';
import { PromqlError } from './error.ts';
import { parsePromql } from './parse/parse.ts';

type Point = readonly [timestampMs: number, value: number | 'stale'];

const series = (labels: Record<string, string>, points: readonly Point[]): SeriesSamples => ({
  series: createSeries(Object.entries(labels)),
  samples: points.map(([timestampMs, value]) => ({
    timestampMs,
    value: value === 'stale' ? Number.NaN : value,
    isStale: value === 'stale',
  })),
});

const every = (stepMs: number, values: readonly (number | 'stale')[]): Point[] =>
  values.map((value, i) => [i * stepMs, value]);

const optionsFor = (stored: readonly SeriesSamples[]): EngineOptions => ({
  source: createMemorySource(stored),
  signal: new AbortController().signal,
  lookbackMs: 300_000,
  maxPoints: 1_000_000,
});

const text = (labels: readonly Label[]): string => labels.map(([name, value]) => `${name}=${value}`).join(',');

/** A value as something short to compare: labels → value, or labels → [ms, value] pairs. */
function shown({ value }: QueryAnswer): unknown {
  switch (value.kind) {
    case 'scalar':
      return value.values[0];
    case 'string':
      return value.text;
    case 'vector':
      return Object.fromEntries(
        value.series.map(({ labels, values, isPresent }) => [
          text(labels),
          values.length === 1 ? values[0] : [...values].map((v, i) => (isPresent[i] === 1 ? v : undefined)),
        ]),
      );
    case 'matrix':
      return Object.fromEntries(
        value.series.map(({ labels, timestampsMs, values }) => [
          text(labels),
          [...timestampsMs].map((timestampMs, i) => [timestampMs, values[i]]),
        ]),
      );
  }
}

const at = async (query: string, timeMs: number, stored: readonly SeriesSamples[]): Promise<unknown> =>
  shown(await instantQuery(parsePromql(query), timeMs, optionsFor(stored)));

describe('an instant selector', () => {
  const up = [series({ __name__: 'up', job: 'a' }, every(60_000, [1, 0, 'stale', 5]))];

  it.each([
    [0, { '__name__=up,job=a': 1 }],
    [59_999, { '__name__=up,job=a': 1 }],
    [60_000, { '__name__=up,job=a': 0 }],
    [120_000, {}],
    [179_999, {}],
    [180_000, { '__name__=up,job=a': 5 }],
    [479_999, { '__name__=up,job=a': 5 }],
    [480_000, {}],
  ])(
    'at %i ms takes the newest sample within five minutes, the edge left out, unless it is a marker',
    async (timeMs, expected) => {
      expect(await at('up', timeMs, up)).toEqual(expected);
    },
  );

  it('looks back from where its offset leads', async () => {
    expect(await at('up offset 1m', 120_000, up)).toEqual({ '__name__=up,job=a': 0 });
    expect(await at('up offset -1m', 0, up)).toEqual({ '__name__=up,job=a': 0 });
  });

  it('keeps an ordinary NaN, which is a value', async () => {
    expect(await at('x', 0, [series({ __name__: 'x' }, [[0, Number.NaN]])])).toEqual({ '__name__=x': Number.NaN });
  });

  it('takes a label that is missing for an empty one', async () => {
    const stored = [series({ __name__: 'x', a: '1' }, [[0, 1]]), series({ __name__: 'x' }, [[0, 2]])];
    expect(await at('x{a=""}', 0, stored)).toEqual({ '__name__=x': 2 });
    expect(await at('x{a!=""}', 0, stored)).toEqual({ '__name__=x,a=1': 1 });
    expect(await at('x{a=~"2|"}', 0, stored)).toEqual({ '__name__=x': 2 });
    expect(await at('{__name__=~"x|y", a!~"1"}', 0, stored)).toEqual({ '__name__=x': 2 });
  });
});

describe('a range selector', () => {
  it('gives the samples of (t - range, t] without markers', async () => {
    const stored = [series({ __name__: 'x' }, every(60_000, [1, 2, 'stale', 4]))];
    expect(await at('x[3m]', 180_000, stored)).toEqual({
      '__name__=x': [
        [60_000, 2],
        [180_000, 4],
      ],
    });
    expect(await at('x[1m]', 120_000, stored)).toEqual({});
  });

  it('cannot be the whole of a range query', () => {
    const grid = { startMs: 0, stepMs: 1000, count: 2 };
    return expect(rangeQuery(parsePromql('x[1m]'), grid, optionsFor([]))).rejects.toThrow(
      'invalid expression type "range vector" for range query, must be Scalar or instant Vector',
    );
  });
});

describe('@ end()', () => {
  it('is the end that a range query was given, be it beyond the last point', async () => {
    const stored = [series({ __name__: 'x' }, every(1000, [0, 1, 2, 3]))];
    const grid = { startMs: 0, stepMs: 2000, count: 2, givenEndMs: 3000 };
    expect(shown(await rangeQuery(parsePromql('x @ end() - x @ start()'), grid, optionsFor(stored)))).toEqual({
      '': [3, 3],
    });
  });
});

describe('rate', () => {
  const rateOf = async (points: readonly Point[], query: string, timeMs: number): Promise<unknown> => {
    const found = await at(query, timeMs, [series({ __name__: 'x_total' }, points)]);
    return typeof found === 'object' && found !== null ? Object.values(found)[0] : undefined;
  };

  it.each<[string, readonly Point[], string, number, number | undefined]>([
    ['one sample is none', [[0, 1]], 'rate(x_total[1m])', 0, undefined],
    ['the left edge does not belong to the window', every(15_000, [0, 15, 30, 45, 60]), 'rate(x_total[1m])', 60_000, 1],
    ['a reset adds what was before it', every(10_000, [0, 10, 20, 5, 15, 25]), 'rate(x_total[50s])', 50_000, 35 / 40],
    [
      'far from the edges it is extrapolated by half an interval',
      [
        [100_000, 100],
        [110_000, 110],
      ],
      'rate(x_total[100s])',
      160_000,
      20 / 100,
    ],
    [
      'it is not extrapolated below zero',
      [
        [52_000, 1],
        [60_000, 9],
      ],
      'rate(x_total[60s])',
      60_000,
      9 / 60,
    ],
    ['a constant counter has the rate zero', every(10_000, [7, 7, 7]), 'rate(x_total[30s])', 20_000, 0],
    ['markers are left out', every(10_000, [0, 10, 'stale', 30]), 'rate(x_total[40s])', 30_000, 30 / 40],
    ['an offset moves the window', every(15_000, [0, 15, 30, 45, 60]), 'rate(x_total[1m] offset 30s)', 90_000, 1],
  ])('%s', async (_, points, query, timeMs, expected) => {
    const rate = await rateOf(points, query, timeMs);
    if (expected === undefined) expect(rate).toBeUndefined();
    else expect(rate).toBeCloseTo(expected, 12);
  });

  it('drops the name and refuses two series that are then the same', async () => {
    const stored = ['a_total', 'b_total'].map((name) => series({ __name__: name, job: 'j' }, every(10_000, [0, 10])));
    expect(await at('rate(a_total[1m])', 10_000, stored)).toEqual({ 'job=j': expect.closeTo(10 / 60, 12) });
    await expect(at('rate({job="j"}[1m])', 10_000, stored)).rejects.toThrow(
      'vector cannot contain metrics with the same labelset',
    );
  });

  it('is computed anew for each point of a range query, and a series has points only where it has samples', async () => {
    const stored = [series({ __name__: 'x_total' }, every(15_000, [0, 15, 30, 45, 60]))];
    const grid = { startMs: 0, stepMs: 60_000, count: 4 };
    const value = await rangeQuery(parsePromql('rate(x_total[1m])'), grid, optionsFor(stored));
    expect(shown(value)).toEqual({ '': [undefined, expect.closeTo(1, 12), undefined, undefined] });
  });
});

describe('literals', () => {
  it.each([
    ['1', 1],
    ['-1.5e3', -1500],
    ['0x1F', 31],
    ['1_000', 1000],
    ['+Inf', Number.POSITIVE_INFINITY],
    ['nan', Number.NaN],
    ['5m', 300],
    ['1h30m', 5400],
    ['((2))', 2],
    ['"a\\n\\x41\\u00e9\\101"', 'a\nAéA'],
    ["'it''s'".replace("''", "\\'"), "it's"],
    ['`raw\\n`', 'raw\\n'],
  ])('%s', async (query, expected) => {
    expect(await at(query, 0, [])).toEqual(expected);
  });
});

describe('what is not a query', () => {
  it.each([
    ['', 'unknown position: parse error: no expression found in input'],
    ['1 + ', '1:5: parse error: unexpected end of input'],
    ['foo bar', '1:5: parse error: unexpected identifier "bar"'],
    ['foo{a=5}', "1:7: parse error: unexpected character inside braces: '5'"],
    ['rate(foo', '1:9: parse error: unclosed left parenthesis'],
    ['nosuch(foo)', '1:1: parse error: unknown function with name "nosuch"'],
    ['rate(foo)', '1:6: parse error: expected type range vector in call to function "rate", got instant vector'],
    ['rate(foo[1m], 1)', '1:1: parse error: expected 1 argument(s) in call to "rate", got 2'],
    ['{}', '1:1: parse error: vector selector must contain at least one non-empty matcher'],
    ['{a=~".*"}', '1:1: parse error: vector selector must contain at least one non-empty matcher'],
    ['foo{a=~"["}', '1:5: parse error: error parsing regexp: missing closing ]: `[`'],
    ['foo[0s]', '1:5: parse error: duration must be greater than 0'],
    ['foo{__name__="bar"}', '1:1: parse error: metric name must not be set twice: "foo" or "bar"'],
    ['\n  foo bar', '2:7: parse error: unexpected identifier "bar"'],
    ['"é" bar', '1:6: parse error: unexpected identifier "bar"'],
  ])('%j is refused with its place', (query, message) => {
    expect(() => parsePromql(query)).toThrow(new PromqlError('parse', message));
  });

  it('nested too deeply or too long meets a limit with a name', () => {
    expect(() => parsePromql('('.repeat(10_000) + 1 + ')'.repeat(10_000))).toThrow(/nested more than 200 levels/);
    expect(() => parsePromql('-'.repeat(100_000) + 1)).toThrow(PromqlError);
    expect(() => parsePromql(`"${'\\"'.repeat(60_000)}`)).toThrow(PromqlError);
    expect(() => parsePromql(`1${'+1'.repeat(60_000)}`)).toThrow(PromqlError);
    let rows = '1';
    let windows = 'x';
    for (let i = 0; i < 150; i++) {
      rows = `(${rows}${'+1'.repeat(199)})`;
      windows = `(${windows}${'[1m:]'.repeat(100)})`;
    }
    expect(() => parsePromql(rows)).toThrow(/nested more than 400 levels/);
    expect(() => parsePromql(windows)).toThrow(/nested more than 400 levels/);
    expect(() => parsePromql(`1${'+1'.repeat(199)}`)).not.toThrow();
    expect(() => parsePromql(`x{a="${'b'.repeat(1_000_000)}"}`)).toThrow(/longer than the limit of 131072/);
  });
});
