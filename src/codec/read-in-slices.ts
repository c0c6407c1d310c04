/** Bodies of many spans in the binary formats, read a slice at a time, so that others get their turn between two. */
import type { Span } from '../model/span.ts';

/** Reads spans up to an end, or a little beyond, and tells where it is then; undefined when there are no more. */
export type ReadUntil = (end: number, spans: Span[]) => number | undefined;

/** What the smallest spans take 10 ms to decode in. */
const sliceBytes = 128 * 1024;

/** Reads all spans, slice by slice; each step tells how many there are so far. */
export function* readInSlices(readUntil: ReadUntil): Generator<number, Span[]> {
  const spans: Span[] = [];
  for (let end = sliceBytes; ; ) {
    const position = readUntil(end, spans);
    if (position === undefined) return spans;
    yield spans.length;
    end = position + sliceBytes;
  }
}
