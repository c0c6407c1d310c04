/** Label sets as JSON objects, written byte by byte the first time and copied where they come again and again. */
import type { Label } from '../../model/sample.ts';
import { type Chunk, reserve } from './chunk.ts';

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const colon = 0x3a;
const opening = 0x7b;
const closing = 0x7d;

/** Of what was kept; then all of it is forgotten. */
const defaultMaxBytes = 16 * 1024 * 1024;
/** One series in so many is remembered at once; the others once such a one has come again. */
const probeEvery = 64;

/** The most that a label set takes: a unit of UTF-16 is six bytes where it is escaped. */
function maxBytesOf(labels: readonly Label[]): number {
  let units = 0;
  for (const [name, value] of labels) units += name.length + value.length + 1;
  return 6 * units + 2;
}

/** Writes a text of JSON and gives the place behind it. */
function writeQuoted(buffer: Buffer, start: number, text: string): number {
  let at = start;
  buffer[at++] = quote;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x20 || unit > 0x7e || unit === quote || unit === backslash) {
      return start + buffer.write(JSON.stringify(text), start);
    }
    buffer[at++] = unit;
  }
  buffer[at++] = quote;
  return at;
}

function writeLabels(buffer: Buffer, start: number, labels: readonly Label[]): number {
  let at = start;
  buffer[at++] = opening;
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i];
    if (label === undefined) continue;
    if (i > 0) buffer[at++] = comma;
    at = writeQuoted(buffer, at, label[0]);
    buffer[at++] = colon;
    at = writeQuoted(buffer, at, label[1]);
  }
  buffer[at++] = closing;
  return at;
}

/** Writes the label sets of one answer, in their order. */
export type LabelWriter = (chunk: Chunk, labels: readonly Label[]) => void;

/**
 * Makes a memory of label sets that are the same array from answer to answer: 80 ns to copy the JSON of seven labels, 380 to write it
 * again (bench/prometheus-answers.ts). To remember costs several times as much as that, so those that never come again are not.
 */
export function createLabelTexts(maxBytes = defaultMaxBytes): { writer(): LabelWriter } {
  // The bytes of the JSON, one a unit: such strings are copied without being looked at.
  let kept = new WeakMap<readonly Label[], string>();
  let sizeBytes = 0;

  const keep = (labels: readonly Label[], text: string): void => {
    if (sizeBytes + text.length > maxBytes) {
      kept = new WeakMap();
      sizeBytes = 0;
    }
    kept.set(labels, text);
    sizeBytes += text.length;
  };

  return {
    writer() {
      let index = 0;
      let comeAgain = false;
      return (chunk, labels) => {
        const isProbe = index++ % probeEvery === 0;
        const text = kept.get(labels);
        if (text !== undefined) {
          if (isProbe) comeAgain = true;
          reserve(chunk, text.length);
          chunk.size += chunk.buffer.write(text, chunk.size, 'latin1');
          return;
        }
        reserve(chunk, maxBytesOf(labels));
        const { buffer, size: start } = chunk;
        chunk.size = writeLabels(buffer, start, labels);
        if (isProbe || comeAgain) keep(labels, buffer.toString('latin1', start, chunk.size));
      };
    },
  };
}

/** Of all answers. */
export const labelTexts = createLabelTexts();

/** Writes a text of JSON. */
export function writeString(chunk: Chunk, text: string): void {
  reserve(chunk, 6 * text.length + 2);
  chunk.size = writeQuoted(chunk.buffer, chunk.size, text);
}
