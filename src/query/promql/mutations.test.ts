/** Queries that were hurt in every way are answered or refused, with an error that says why; nothing else is ever thrown. */
import { describe, expect, it } from 'vitest';
import { createMemorySource } from '../../../test/fixtures/memory-samples.ts';
import { createSeries } from '../../model/sample.ts';
import { type EngineOptions, instantQuery, rangeQuery } from './engine.ts';
import { PromqlError } from './error.ts';
import { parsePromql } from './parse/parse.ts';
import { prettyPrint } from './print.ts';

const count = Number(process.env['MUTATIONS'] ?? 10_000);
const seed = Number(process.env['MUTATIONS_SEED'] ?? 11);

let state = seed;
const random = (below: number): number => {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return Math.floor((state / 2 ** 32) * below);
};

const stored = ['p', 'q'].flatMap((a) =>
  ['0.1', '1', '+Inf'].map((le, i) => ({
    series: createSeries([
      ['__name__', 'x'],
      ['a', a],
      ['le', le],
    ]),
    samples: Array.from({ length: 20 }, (_, k) => ({
      timestampMs: k * 15_000,
      value: k * (i + 1) - 7,
      isStale: k === 9,
    })),
  })),
);

const queries: readonly string[] = [
  'sum by (a, le) (rate(x{a=~"p|q"}[1m] offset 15s)) / on(a) group_left() max without (le) (x) > bool 0.5',
  'histogram_quantile(0.9, sum(increase(x[2m])) by (le)) or vector(scalar(count(x)))',
  'topk(2, x) + ignoring(le) group_right fill_left(0) sum by (a) (x @ start()) unless absent(x{a="z"})',
  'label_replace(max_over_time(deriv(x[1m])[3m:20s] @ 200), "b", "$1-$2", "a", "(.)(.*)")',
  'quantile_over_time(0.3, x[2m * 2 - 1m30s]) ^ -2 atan2 clamp(x, -1, 1e3) % 0x1F',
  'count_values("v", round(x, 0.5)) and on() (time() - timestamp(x) < 5m)',
  'info(x, {__name__=~".+", a!=""}) - predict_linear(x[1m], 60) == bool -Inf',
  'sort_desc(stddev(x)) * hour() + day_of_year(x) # the end',
  'limitk(1, x) or label_join(x, "z", "-", "a", "le") or {"x", \'a\'!~`z`}',
  'increase(x[max_of(step(), 90s) + 1m] anchored offset -(range() - 30s)) + on(a, le) fill(-1) (x smoothed)',
  'limit_ratio(-0.5, histogram_quantiles(x, "q", 0.5, 0.9)) > fill_right(2) fill_left(1) mad_over_time(x[2m:step() + 9])',
  '-(((1_000 + .5))) * pi() ^ 2 ^ 0.5 != bool NaN',
];

const pieces: readonly string[] = [
  ...'(){}[]"\'`\\,=!~<>+-*/%^@:.#_ \n09aze\u00e9\ud800$|?',
  ...'by without on ignoring group_left bool offset sum rate x start() end() [5m] [1m:] inf and or 5m -1 fill(1) smoothed anchored step() range() min_of( , 2m)'.split(
    ' ',
  ),
];

function mutated(): string {
  let query = queries[random(queries.length)] ?? '';
  for (let edits = 1 + random(4); edits > 0; edits--) {
    const at = random(query.length + 1);
    const inserted = random(3) === 0 ? '' : (pieces[random(pieces.length)] ?? '');
    query = query.slice(0, at) + inserted + query.slice(at + random(4));
  }
  return query;
}

const options: EngineOptions = {
  source: createMemorySource(stored),
  signal: new AbortController().signal,
  lookbackMs: 300_000,
  maxPoints: 100_000,
};

async function answerOf(text: string): Promise<'answered' | 'refused'> {
  try {
    const query = parsePromql(text);
    expect(parsePromql(prettyPrint(query.expression)).type).toBe(query.type);
    if (query.type === 'vector' || query.type === 'scalar') {
      await rangeQuery(query, { startMs: 60_000, stepMs: 45_000, count: 5 }, options);
    }
    await instantQuery(query, 200_000, options);
    return 'answered';
  } catch (error) {
    if (error instanceof PromqlError) return 'refused';
    throw new Error(`${JSON.stringify(text)} (seed ${seed}) threw`, { cause: error });
  }
}

describe(`${count} mutated queries`, () => {
  it('are answered, or refused with a reason', async () => {
    const counts = { answered: 0, refused: 0 };
    for (let i = 0; i < count; i++) counts[await answerOf(mutated())]++;
    expect(counts.answered).toBeGreaterThan(count / 50);
    expect(counts.refused).toBeGreaterThan(count / 50);
  }, 1_800_000);

  it('start from queries that have answers', async () => {
    for (const query of queries) {
      expect(await instantQuery(parsePromql(query), 200_000, options), query).toMatchObject({ value: {} });
    }
  });
});
