/** A trace as the text of an answer, a piece at a time, so that others are served while a large one is written. */
import { setImmediate as turn } from 'node:timers/promises';
import { encodeSpans } from '../../codec/zipkin-v2-json/encode-spans.ts';
import type { Span } from '../../model/span.ts';

/** Spans are written in pieces of so many, or of so many tags and annotations: about 10 ms of work. */
const spansPerTurn = 1000;
const partsPerTurn = 20_000;

/** Encodes a trace; rejects when `signal` aborts meanwhile. */
export async function encodeTrace(spans: readonly Span[], signal: AbortSignal): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (let start = 0; start < spans.length; ) {
    const end = endOfPiece(spans, start);
    // The brackets of all pieces but the first and the last are what stands between them.
    const text = encodeSpans(spans.slice(start, end));
    pieces.push(Buffer.from(`${start === 0 ? '[' : ','}${text.slice(1, -1)}`));
    start = end;
    if (start < spans.length) await turn(undefined, { signal });
  }
  if (pieces.length === 0) return Buffer.from('[]');
  pieces.push(Buffer.from(']'));
  return Buffer.concat(pieces);
}

function endOfPiece(spans: readonly Span[], start: number): number {
  let parts = 0;
  let end = start;
  for (; end < spans.length && end - start < spansPerTurn && parts < partsPerTurn; end++) {
    const span = spans[end];
    parts += (span?.events.length ?? 0) + Object.keys(span?.attributes ?? {}).length;
  }
  return end;
}
