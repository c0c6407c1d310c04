/**
 * From the bytes of a series' labels, as they stand in a TimeSeries, to what the decoder made of them before. Senders repeat their labels
 * with every sample, and mostly in the same order: the series that came after this one the last time is compared first, and only where it
 * is another one its bytes are hashed. No string is made for a series that is known. Hot: bench/remote-write.ts.
 */
import type { Series } from '../../model/sample.ts';

/** A series, or why it is refused, which is then known as well. */
export interface KnownSeries {
  readonly series: Series | undefined;
  /** Why the series cannot be taken; '' where it can. */
  readonly refusal: string;
  /** Where its labels lie. */
  readonly memory: Buffer;
  readonly start: number;
  readonly length: number;
  readonly hash: number;
  /** Another series of the same hash, and how many there are. */
  readonly sameHash: KnownSeries | undefined;
  readonly depth: number;
  /** What came after it the last time. */
  next: KnownSeries | undefined;
  isForgotten: boolean;
}

export interface SeriesCache {
  /** `before` is what came before these bytes. */
  find(bytes: Buffer, labels: ByteRange, before: KnownSeries | undefined): KnownSeries | undefined;
  add(bytes: Buffer, labels: ByteRange, found: Found): KnownSeries;
}

/** Where something lies in a body. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

export type Found = Pick<KnownSeries, 'series' | 'refusal'>;

export interface SeriesCacheLimits {
  /** Bytes of labels; beyond half of it the half that was not asked for lately is forgotten. */
  readonly maxBytes: number;
}

const chunkBytes = 256 * 1024;
/** More of one hash are no accident: the ones before are forgotten, so that nobody can make a lookup slow. */
const maxDepth = 8;

/** Half of what is known, and what its labels lie in. */
interface Generation {
  readonly byHash: Map<number, KnownSeries>;
  bytes: number;
}

const emptyGeneration = (): Generation => ({ byHash: new Map(), bytes: 0 });

/** A hash of 30 bits, so that it stays a small integer. */
export function hashBytes(bytes: Buffer, start: number, end: number): number {
  let hash = end - start;
  let at = start;
  for (; at + 4 <= end; at += 4) {
    const word =
      (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24);
    hash = Math.imul(hash ^ word, 0x5bd1_e995);
    hash ^= hash >>> 15;
  }
  for (; at < end; at++) hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x5bd1_e995);
  hash ^= hash >>> 13;
  return Math.imul(hash, 0x5bd1_e995) >>> 2;
}

/** Whoever still points at one of these must neither use it nor keep all that came after it. */
function forget(first: KnownSeries | undefined): void {
  for (let each = first; each !== undefined; each = each.sameHash) {
    each.isForgotten = true;
    each.next = undefined;
  }
}

/** Makes an empty cache. */
export function createSeriesCache({ maxBytes }: SeriesCacheLimits): SeriesCache {
  let young = emptyGeneration();
  let old = emptyGeneration();
  let chunk = Buffer.alloc(0);
  let used = 0;

  const isSame = (known: KnownSeries, bytes: Buffer, { start, end }: ByteRange): boolean =>
    known.length === end - start &&
    known.memory.compare(bytes, start, end, known.start, known.start + known.length) === 0;

  const findIn = ({ byHash }: Generation, bytes: Buffer, { labels, hash }: { labels: ByteRange; hash: number }) => {
    for (let known = byHash.get(hash); known !== undefined; known = known.sameHash) {
      if (isSame(known, bytes, labels)) return known;
    }
    return undefined;
  };

  const put = (known: KnownSeries) => {
    young.byHash.set(known.hash, known);
    young.bytes += known.length;
    if (young.bytes <= maxBytes / 2) return;
    for (const first of old.byHash.values()) forget(first);
    old = young;
    young = emptyGeneration();
  };

  const store = (bytes: Buffer, start: number, length: number) => {
    if (chunk.length - used < length) {
      chunk = Buffer.allocUnsafeSlow(Math.max(chunkBytes, length));
      used = 0;
    }
    const at = used;
    bytes.copy(chunk, at, start, start + length);
    used += length;
    return { memory: chunk, start: at, length };
  };

  const add = (bytes: Buffer, { start, end }: ByteRange, { series, refusal }: Found) => {
    const hash = hashBytes(bytes, start, end);
    let sameHash = young.byHash.get(hash);
    if (sameHash !== undefined && sameHash.depth >= maxDepth) {
      forget(sameHash);
      sameHash = undefined;
    }
    const known: KnownSeries = {
      series,
      refusal,
      ...store(bytes, start, end - start),
      hash,
      sameHash,
      depth: (sameHash?.depth ?? 0) + 1,
      next: undefined,
      isForgotten: false,
    };
    put(known);
    return known;
  };

  return {
    find(bytes, labels, before) {
      const { start, end } = labels;
      const next = before?.next;
      if (next !== undefined && !next.isForgotten && isSame(next, bytes, labels)) return next;
      const hash = hashBytes(bytes, start, end);
      let known = findIn(young, bytes, { labels, hash });
      if (known === undefined) {
        known = findIn(old, bytes, { labels, hash });
        // What is still asked for is taken along, so that the old half can go as a whole.
        if (known !== undefined) known = add(bytes, labels, known);
      }
      if (before !== undefined && known !== undefined) before.next = known;
      return known;
    },
    add,
  };
}
