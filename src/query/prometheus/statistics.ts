/** `stats` of a query: what it took, in the shape of Prometheus (util/stats). */
import type { QueryPart } from '../promql/engine.ts';
import type { Value } from '../promql/value.ts';

export interface QueryClock {
  /** Says that the query's turn has come. */
  begin(): void;
  /** Counts a part that is done. */
  readonly onPart: (part: QueryPart) => void;
  /** The query's figures as a further field of `data`, with a comma before it. */
  show(value: Value): string;
}

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);

function pointsOf(value: Value): number {
  if (value.kind === 'scalar') return value.values.length;
  if (value.kind === 'string') return 1;
  return sum(value.series.map(({ values }) => values.length));
}

/** Starts to measure a query. */
export function startQueryClock(): QueryClock {
  const askedMs = performance.now();
  let begunMs = askedMs;
  let readMs = 0;
  let samples = 0;
  return {
    begin() {
      begunMs = performance.now();
    },
    onPart(part) {
      if (part.kind === 'evaluated') return;
      readMs += part.tookMs;
      // Of what the store computed, its answer is all that comes here.
      if (part.kind === 'pushed') samples += sum(part.answer.rows.map(({ values }) => values.length));
      const series = part.kind === 'pushed' ? part.answer.unusual : part.series;
      samples += sum(series.map(({ values }) => values.length));
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
