/** Large bodies of Zipkin v2 JSON, decoded a slice at a time, so that whoever asks can do something else between two slices. */
import type { Span } from '../../model/span.ts';
import { CodecError } from '../codec-error.ts';
import { decodeUtf8 } from '../java-text.ts';
import { checkListFormat } from '../zipkin-format.ts';
import { decodeSpans } from './decode-spans.ts';
import { readSlicesExactly } from './exact-reader.ts';
import { readSpansFast } from './fast-reader.ts';

/** What the smallest spans take 20 ms to decode in, and a body of a hundred usual ones fits into. */
const sliceLength = 128 * 1024;

/** Of one span: what a hundred thousand tags and as many annotations have. More take seconds that nobody else is served in. */
const stringsPerSpan = 600_000;

const quote = 0x22;
const comma = 0x2c;
const openBracket = 0x5b;
const backslash = 0x5c;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/** Where the string ends that begins at `start`, or the end of the text. */
function endOfString(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at !== -1; at = text.indexOf('"', at + 1)) {
    let first = at;
    while (text.charCodeAt(first - 1) === backslash) first--;
    if ((at - first) % 2 === 0) return at;
  }
  return text.length;
}

/** The comma or bracket behind the spans that begin at `start` and take `sliceLength` or a little more; undefined if there is none. */
function endOfSlice(text: string, start: number): number | undefined {
  let depth = 0;
  let strings = 0;
  for (let at = start; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === quote) {
      at = endOfString(text, at);
      if (++strings > stringsPerSpan)
        throw new CodecError(`a span of more than ${stringsPerSpan} strings; send fewer tags`);
    } else if (code === openBrace || code === openBracket) depth++;
    else if (code === closeBrace || code === closeBracket) {
      if (--depth < 0) return at;
    } else if (code === comma && depth === 0 && at - start >= sliceLength) return at;
  }
  return undefined;
}

/** What the fast reader makes of each slice; ends with false where it has to leave the whole to the exact one. */
function* readSlicesFast(text: string): Generator<Span[], boolean> {
  for (let start = 1; ; ) {
    const end = endOfSlice(text, start);
    if (end === undefined) return false;
    const isLast = text.charCodeAt(end) === closeBracket;
    if (isLast && end !== text.length - 1) return false;
    const spans = readSpansFast(`[${text.slice(start, end)}]`);
    // Nothing between two commas is no list that anybody means.
    if (spans === undefined || spans.length === 0) return false;
    yield spans;
    if (isLast) return true;
    start = end + 1;
  }
}

/**
 * Decodes what `decodeSpans` does, with the same results and errors, in steps of a few milliseconds. Each step tells how many spans were
 * decoded so far, so that the caller can stop at too many; the generator's result is the list. One span is never cut.
 */
export function* decodeSpansInSteps(body: Buffer): Generator<number, Span[]> {
  if (body.length <= 2 * sliceLength) return decodeSpans(body);
  checkListFormat(body, 'JSON_V2');
  const text = decodeUtf8(body);
  for (const readSlices of text.charCodeAt(0) === openBracket
    ? [readSlicesFast, readSlicesExactly]
    : [readSlicesExactly]) {
    const spans: Span[] = [];
    const slices = readSlices(text);
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
