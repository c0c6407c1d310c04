/** Large bodies of Zipkin v2 JSON, decoded a slice at a time, so that whoever asks can do something else between two slices. */
import type { Span } from '../../model/span.ts';
import { decodeUtf8InSteps } from '../java-text.ts';
import { WideSpanError } from '../wide-span-error.ts';
import { checkListFormat } from '../zipkin-format.ts';
import { decodeSpans } from './decode-spans.ts';
import { readSlicesExactly } from './exact-reader.ts';
import { readSpansFast } from './fast-reader.ts';

/** What the smallest spans take 20 ms to decode in, and a body of a hundred usual ones fits into. */
const sliceLength = 128 * 1024;

/** What is looked at for a slice's end in one step. */
const scanLength = 2 * 1024 * 1024;

/** Fields of endpoints and the like are counted with the tags. */
const otherParts = 64;

const quote = 0x22;
const comma = 0x2c;
const openBracket = 0x5b;
const backslash = 0x5c;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;
/** Within a span, its tags or annotations. */
const partsDepth = 2;

/** Where the string ends that begins at `start`, or the end of the text. */
function endOfString(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at !== -1; at = text.indexOf('"', at + 1)) {
    let first = at;
    while (text.charCodeAt(first - 1) === backslash) first--;
    if ((at - first) % 2 === 0) return at;
  }
  return text.length;
}

/** Where a slice ends, and how far it was looked for so far. */
interface SliceScan {
  readonly start: number;
  at: number;
  /** Of the list's elements it is zero, within a span one. */
  depth: number;
  /** Commas within the span: in objects such as its tags, in lists such as its annotations, and deeper. */
  tags: number;
  annotations: number;
  deeper: number;
  /** Whether the innermost container but deeper ones is an object. */
  isObject: boolean;
}

const newScan = (start: number): SliceScan => ({
  start,
  at: start,
  depth: 0,
  tags: 0,
  annotations: 0,
  deeper: 0,
  isObject: false,
});

/** The comma or bracket behind the spans that take `sliceLength` or a little more; 'further' when it has to look on, undefined if there is none. */
function findSliceEnd(text: string, scan: SliceScan, maxParts: number): number | 'further' | undefined {
  const stop = Math.min(text.length, scan.at + scanLength);
  for (let at = scan.at; at < stop; at++) {
    const code = text.charCodeAt(at);
    if (code === quote) at = endOfString(text, at);
    else if (code === openBrace || code === openBracket) open(scan, code);
    else if (code === closeBrace || code === closeBracket) {
      if (--scan.depth < 0) return at;
    } else if (code !== comma) continue;
    else if (scan.depth > 0) countComma(scan, maxParts);
    else if (at - scan.start >= sliceLength) return at;
    scan.at = at + 1;
  }
  scan.at = Math.max(scan.at, stop);
  return scan.at < text.length ? 'further' : undefined;
}

function open(scan: SliceScan, code: number): void {
  if (scan.depth === 0) {
    scan.tags = 0;
    scan.annotations = 0;
    scan.deeper = 0;
  }
  scan.depth++;
  if (scan.depth === partsDepth) scan.isObject = code === openBrace;
}

/** A span is parsed whole, so that what it may hold has to be known before. */
function countComma(scan: SliceScan, maxParts: number): void {
  const limit = maxParts + otherParts;
  if (scan.depth > partsDepth) {
    if (++scan.deeper > 2 * limit) throw new WideSpanError('fields', maxParts);
  } else if (scan.depth < partsDepth || scan.isObject === true) {
    if (++scan.tags > limit) throw new WideSpanError('tags', maxParts);
  } else if (++scan.annotations > limit) throw new WideSpanError('annotations', maxParts);
}

/** What the fast reader makes of each slice; ends with false where it has to leave the whole to the exact one. */
function* readSlicesFast(text: string, maxParts: number): Generator<Span[], boolean> {
  let scan = newScan(1);
  for (;;) {
    const end = findSliceEnd(text, scan, maxParts);
    if (end === undefined) return false;
    if (end === 'further') {
      yield [];
      continue;
    }
    const isLast = text.charCodeAt(end) === closeBracket;
    if (isLast && end !== text.length - 1) return false;
    const spans = readSpansFast(`[${text.slice(scan.start, end)}]`);
    // Nothing between two commas is no list that anybody means.
    if (spans === undefined || spans.length === 0) return false;
    yield spans;
    if (isLast) return true;
    scan = newScan(end + 1);
  }
}

/**
 * Decodes what `decodeSpans` does, with the same results and errors, in steps of a few milliseconds. Each step tells how many spans were
 * decoded so far, so that the caller can stop at too many; the generator's result is the list. One span is never cut; more tags or annotations
 * than `maxParts` in one are a WideSpanError.
 */
export function* decodeSpansInSteps(body: Buffer, maxParts = Number.POSITIVE_INFINITY): Generator<number, Span[]> {
  if (body.length <= 2 * sliceLength) return decodeSpans(body);
  checkListFormat(body, 'JSON_V2');
  const text = yield* decodeUtf8InSteps(body);
  for (const readSlices of text.charCodeAt(0) === openBracket
    ? [readSlicesFast, readSlicesExactly]
    : [readSlicesExactly]) {
    const spans: Span[] = [];
    const slices = readSlices(text, maxParts);
    for (let next = slices.next(); ; next = slices.next()) {
      if (next.done === true) {
        if (next.value) return spans;
        break;
      }
      for (const span of next.value) spans.push(span);
      yield spans.length;
    }
  }
  return [];
}
