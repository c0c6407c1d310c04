/**
 * Values that come again: a counter that is scraped at an even pace grows by a few whole numbers, so that of the 241,000 rates of a thousand
 * series there are some thousand different ones, and gauges stay as they are. The digits of those that came last are copied: 20 ns
 * where to find them takes 65 (bench/prometheus-answers.ts).
 */
import { writeValue } from './value-text.ts';

/** So many values are remembered, each at the one place that its bits say. */
const slotBits = 13;
const slotCount = 2 ** slotBits;
const textWords = 6;
const textBytes = 4 * textWords;

const lows = new Uint32Array(slotCount);
const highs = new Uint32Array(slotCount);
const sizes = new Uint8Array(slotCount);
const words = new Uint32Array(slotCount * textWords);

const asDouble = new Float64Array(1);
const asWords = new Uint32Array(asDouble.buffer);

/** Where hardly anything comes again, nothing is looked up for a while. */
const trialLosses = 256;
const pauseValues = 4096;
let losses = 0;
let paused = 0;

/** What `writeRepeated` may overwrite from where it begins. */
export const repeatedBytes = textBytes;

/** Writes the bytes of `writeValue`; `view` is of the same memory as `buffer`. */
export function writeRepeated(view: DataView, buffer: Uint8Array, start: number, value: number): number {
  // Whole numbers are written as fast.
  if (paused > 0 || value >>> 0 === value) {
    if (paused > 0) paused--;
    return writeValue(buffer, start, value);
  }
  asDouble[0] = value;
  const low = asWords[0] ?? 0;
  const high = asWords[1] ?? 0;
  const slot = Math.imul(low ^ Math.imul(high, 0x85eb_ca6b), 0x9e37_79b1) >>> (32 - slotBits);
  const from = slot * textWords;
  if (lows[slot] === low && highs[slot] === high && sizes[slot] !== 0) {
    if (losses > 0) losses--;
    for (let i = 0; i < textWords; i++) view.setUint32(start + 4 * i, words[from + i] ?? 0);
    return start + (sizes[slot] ?? 0);
  }
  const end = writeValue(buffer, start, value);
  if (end - start > textBytes) return end;
  lows[slot] = low;
  highs[slot] = high;
  sizes[slot] = end - start;
  for (let i = 0; i < textWords; i++) words[from + i] = view.getUint32(start + 4 * i);
  if (++losses >= trialLosses) {
    losses = 0;
    paused = pauseValues;
  }
  return end;
}
