/**
 * The labels of series that were read lately. They follow from a series' id, so that they never change; reading and sorting them again was
 * nine tenths of what an instant query of 10,000 series cost the agent (`bench/promql.ts`).
 */
import type { Label } from '../../model/sample.ts';
import { SeriesIdTable, type SeriesKey } from '../intake/series-id-table.ts';

export interface LabelCache {
  get(id: SeriesKey): readonly Label[] | undefined;
  /** Keeps labels and gives them back, made of pairs that series share. */
  keep(id: SeriesKey, labels: readonly Label[]): readonly Label[];
}

/** What an array and its place take, and what a pair of two texts does beside their letters. */
const seriesBytes = 120;
const pairBytes = 120;
const labelBytes = 8;

const defaultMaxBytes = 24 * 1024 * 1024;

/** Makes a cache that forgets everything when it would grow beyond its bound, which is cheaper than knowing what was used last. */
export function createLabelCache(maxBytes = defaultMaxBytes): LabelCache {
  const table = new SeriesIdTable();
  const kept: (readonly Label[])[] = [];
  const pairs = new Map<string, Map<string, Label>>();
  let sizeBytes = 0;

  const shared = ([name, value]: Label): Label => {
    let ofName = pairs.get(name);
    if (ofName === undefined) {
      ofName = new Map();
      pairs.set(name, ofName);
    }
    let pair = ofName.get(value);
    if (pair === undefined) {
      pair = [name, value];
      ofName.set(value, pair);
      sizeBytes += pairBytes + name.length + value.length;
    }
    return pair;
  };

  return {
    get(id) {
      const number = table.get(id);
      return number === 0 ? undefined : kept[number - 1];
    },
    keep(id, labels) {
      if (sizeBytes > maxBytes) {
        table.clear();
        kept.length = 0;
        pairs.clear();
        sizeBytes = 0;
      }
      const own = labels.map(shared);
      kept.push(own);
      table.set(id, kept.length);
      sizeBytes += seriesBytes + own.length * labelBytes;
      return own;
    },
  };
}
