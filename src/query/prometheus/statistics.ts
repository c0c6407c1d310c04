/** `stats` of a query: what it took, in the shape of Prometheus (util/stats). */
import type { SampleSource } from '../promql/engine.ts';
import type { Value } from '../promql/value.ts';

export interface QueryClock {
  /** Counts what the query reads. */
  readonly source: SampleSource;
  /** Says that the query's turn has come. */
  begin(): void;
  /** The query's figures as a further field of `data`, with a comma before it. */
  show(value: Value): string;
}

function pointsOf(value: Value): number {
  if (value.kind === 'scalar') return value.values.length;
  if (value.kind === 'string') return 1;
  return value.series.reduce((sum: number, { values }) => sum + values.length, 0);
}

/** Starts to measure a query. */
export function startQueryClock(source: SampleSource): QueryClock {
  const askedMs = performance.now();
  let begunMs = askedMs;
  let readMs = 0;
  let samples = 0;
  return {
    source: {
      ...source,
      async select(selection, signal) {
        const startedMs = performance.now();
        const found = await source.select(selection, signal);
        readMs += performance.now() - startedMs;
        for (const { timestampsMs } of found) samples += timestampsMs.length;
        return found;
      },
    },
    begin() {
      begunMs = performance.now();
    },
    show(value) {
      const endMs = performance.now();
      const seconds = (ms: number): number => Math.max(Math.round(ms * 1e6), 0) / 1e9;
      const timings = {
        evalTotalTime: seconds(endMs - begunMs),
        // Sorting is part of the evaluation here.
        resultSortTime: 0,
        queryPreparationTime: seconds(readMs),
        innerEvalTime: seconds(endMs - begunMs - readMs),
        execQueueTime: seconds(begunMs - askedMs),
        execTotalTime: seconds(endMs - askedMs),
      };
      // A sample that several steps look at is one here, since it is read once.
      const counts = { totalQueryableSamples: samples, peakSamples: samples + pointsOf(value) };
      return `,"stats":${JSON.stringify({ timings, samples: counts })}`;
    },
  };
}
