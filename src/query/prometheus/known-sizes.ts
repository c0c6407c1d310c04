/** What queries were, so that a dashboard's small ones are told from its large ones before they are asked again. */
import { createHash } from 'node:crypto';
import type { KnownSize } from '../search-gate.ts';

/** What a query took, apart from waiting. */
export interface QueryCost {
  /** Samples and points that came from the store. */
  values: number;
  /** Of the event loop. */
  computeMs: number;
  /** Of the store, the longest of its reads. */
  readMs: number;
}

export interface KnownSizes {
  of(key: string): KnownSize;
  keep(key: string, cost: QueryCost): void;
}

const maxKept = 2000;
const maxKeyLength = 500;
/** A small query stays below all of them: a few milliseconds of the agent, and of the store what it takes for that where others are at work. */
const smallValues = 100_000;
const smallComputeMs = 20;
const smallReadMs = 1000;

/** What a query is kept by: its text, and how many points it is asked for. */
export const sizeKey = (text: string, points: number): string =>
  `${points} ${text.length <= maxKeyLength ? text : createHash('sha1').update(text).digest('hex')}`;

/** Knows nothing yet. */
export function createKnownSizes(): KnownSizes {
  const kept = new Map<string, Exclude<KnownSize, undefined>>();
  return {
    of: (key) => kept.get(key),
    keep(key, { values, computeMs, readMs }) {
      const isSmall = values <= smallValues && computeMs <= smallComputeMs && readMs <= smallReadMs;
      // What is asked again stays.
      kept.delete(key);
      kept.set(key, isSmall ? 'small' : 'large');
      if (kept.size <= maxKept) return;
      for (const oldest of kept.keys()) {
        kept.delete(oldest);
        break;
      }
    },
  };
}
