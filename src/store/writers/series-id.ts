/** A series' number in the store: 64 bits of a SHA-256 over its labels, the same on every agent. */
import { createHash } from 'node:crypto';
import type { Series } from '../../model/sample.ts';

const known = new WeakMap<Series, bigint>();

/** The id of a series, computed once for each Series object. */
export function seriesId(series: Series): bigint {
  let id = known.get(series);
  if (id === undefined) {
    const hash = createHash('sha256');
    for (const [name, value] of series.labels) hash.update(`${name}\u0000${value}\u0000`);
    id = hash.digest().readBigUInt64LE(0);
    known.set(series, id);
  }
  return id;
}
