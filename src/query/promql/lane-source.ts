/** A source of samples whose reads of the store wait for their turn there. What is in memory needs none. */
import type { Lane } from '../search-gate.ts';
import type { SampleSource } from './engine.ts';

/** Reads for the query that is in this lane. */
export function readInLane(source: SampleSource, lane: Lane): SampleSource {
  const { grid, estimate, recent } = source;
  return {
    ...(recent === undefined ? {} : { recent: (selection) => recent(selection) }),
    ...(estimate === undefined ? {} : { estimate: (selection, signal) => estimate(selection, signal) }),
    select: (selection, signal) => lane.read(signal, (ending, isLarge) => source.select(selection, ending, isLarge)),
    ...(grid === undefined
      ? {}
      : {
          grid: (selection, options) =>
            lane.read(options.signal, (signal, isLarge) => grid(selection, { ...options, signal, isLarge })),
        }),
  };
}
