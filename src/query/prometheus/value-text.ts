/** Values and times as Prometheus's JSON has them: texts, and bytes where there are hundreds of thousands of them. */

/** The shortest digits that read back as the same number, an exponent below 1e-6 and from 1e21, in Go's spelling (`1e-07`, `+Inf`). */
export function formatValue(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  if (Object.is(value, -0)) return '-0';
  const text = String(value);
  // JavaScript changes to an exponent at the same bounds as Go, but writes it without a second digit.
  return text.includes('e') ? text.replace(/e([+-])(\d)$/, 'e$10$2') : text;
}

/** Seconds: whole, or with exactly three decimals. */
export function formatTimestamp(timestampMs: number): string {
  const size = Math.abs(timestampMs);
  const whole = Math.floor(size / 1000);
  const rest = size % 1000;
  const sign = timestampMs < 0 ? '-' : '';
  return rest === 0 ? `${sign}${whole}` : `${sign}${whole}.${String(rest).padStart(3, '0')}`;
}

/** The most that `writeValue` writes: `-0.0000012345678901234567`. */
export const valueBytes = 25;

const zero = 0x30;
const point = 0x2e;
const minus = 0x2d;

/** Writes a value's digits, those of `formatValue`, and gives the place behind them; there is room for them. */
export function writeValue(buffer: Uint8Array, start: number, value: number): number {
  const whole = value >>> 0;
  if (whole === value && (whole !== 0 || !Object.is(value, -0))) return writeWhole(buffer, start, whole);
  if (value >= smallest && value < tooLarge) {
    const end = writeShortest(buffer, start, value);
    if (end !== undecided) return end;
  } else if (value <= -smallest && value > -tooLarge) {
    buffer[start] = minus;
    const end = writeShortest(buffer, start + 1, -value);
    if (end !== undecided) return end;
  }
  return writeText(buffer, start, formatValue(value));
}

function writeText(buffer: Uint8Array, start: number, text: string): number {
  let at = start;
  for (let i = 0; i < text.length; i++) buffer[at++] = text.charCodeAt(i);
  return at;
}

/** Writes a whole number below 2^32. */
function writeWhole(buffer: Uint8Array, start: number, whole: number): number {
  let end = start + 1;
  for (let bound = 10; whole >= bound; bound *= 10) end++;
  let rest = whole;
  let at = end;
  while (rest >= 10) {
    const next = Math.floor(rest / 100);
    at = writePair(buffer, at, rest - next * 100);
    rest = next;
  }
  if (at > start) buffer[start] = zero + rest;
  return end;
}

const tens = Uint8Array.from({ length: 100 }, (_, i) => zero + Math.floor(i / 10));
const ones = Uint8Array.from({ length: 100 }, (_, i) => zero + (i % 10));

/** Writes two digits up to `end`, and gives their beginning. */
function writePair(buffer: Uint8Array, end: number, pair: number): number {
  buffer[end - 2] = tens[pair] ?? 0;
  buffer[end - 1] = ones[pair] ?? 0;
  return end - 2;
}

/** Writes eight digits up to `end`. */
function writeEight(buffer: Uint8Array, end: number, digits: number): void {
  const upper = (digits / 10_000) | 0;
  const lower = digits - upper * 10_000;
  const first = (upper / 100) | 0;
  const third = (lower / 100) | 0;
  writePair(buffer, end - 6, first);
  writePair(buffer, end - 4, upper - first * 100);
  writePair(buffer, end - 2, third);
  writePair(buffer, end, lower - third * 100);
}

const smallest = 1e-6;
const tooLarge = 1e16;
const undecided = -1;

/** 10^0 to 10^22: all of them are doubles exactly. */
const powers = Float64Array.from({ length: 23 }, (_, i) => Number(`1e${i}`));
/** The upper halves of their digits, so that products of halves are exact (Dekker). */
const split = (x: number): number => {
  const scaled = 134_217_729 * x;
  return scaled - (scaled - x);
};
const upperPowers = powers.map(split);

/** By the exponent of two, from 2^-20 below 1e-6 to 2^53: how many places a number is moved until it has 17 digits before the point, or 16. */
const lowestExponent = -20;
const exponentCount = 74;
const places = Int32Array.from({ length: exponentCount }, (_, i) =>
  Math.min(16 - Math.floor(Math.log10(2 ** (i + lowestExponent)) + 1e-9), 22),
);
/** Half the distance to the next double. */
const halfSteps = Float64Array.from({ length: exponentCount }, (_, i) => 2 ** (i + lowestExponent - 53));

const asDouble = new Float64Array(1);
const asWords = new Uint32Array(asDouble.buffer);
const isBigEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 0;
const highWord = isBigEndian ? 0 : 1;

/** What is nearer than this to a decision's edge is left to the runtime: the sum below may be wrong by 2^-26. */
const guard = 1e-6;

/**
 * Writes a number from 1e-6 to 1e16, or says that the case is too close for this arithmetic. The number times a power of ten is known
 * exactly as two doubles, so is half the distance to its neighbours; of the whole numbers in between one that ends in most zeros is
 * the shortest. 40 ns where a string and its letters take 150 (bench/prometheus-answers.ts).
 */
function writeShortest(buffer: Uint8Array, start: number, value: number): number {
  asDouble[0] = value;
  const high = asWords[highWord] ?? 0;
  // Below a power of two the next double is only half as far.
  if ((high & 0xf_ffff) === 0) return undecided;
  const exponent = (high >>> 20) - 1023 - lowestExponent;
  let shift = places[exponent] ?? 0;
  if (shift > 0 && value * (powers[shift] ?? 1) >= 1e17) shift--;
  const power = powers[shift] ?? 1;
  const reach = (halfSteps[exponent] ?? 0) * power;
  // value * power = product + rest, exactly.
  const product = value * power;
  const scaled = 134_217_729 * value;
  const valueHigh = scaled - (scaled - value);
  const valueLow = value - valueHigh;
  const powerHigh = upperPowers[shift] ?? 0;
  const powerLow = power - powerHigh;
  const rest = valueLow * powerLow - (product - valueHigh * powerHigh - valueLow * powerHigh - valueHigh * powerLow);

  let upper = Math.floor(product / 1e8);
  let lower = product - upper * 1e8 + rest;
  if (lower < 0) {
    upper--;
    lower += 1e8;
  }
  let nearest = Math.floor(lower + 0.5);
  let away = Math.abs(lower - nearest);
  let tie = 0.5;
  let dropped = 0;
  for (let unit = 10; dropped < 8; unit *= 10) {
    const rounded = Math.floor(lower / unit + 0.5) * unit;
    const distance = Math.abs(lower - rounded);
    if (distance > reach + guard) break;
    if (distance > reach - guard) return undecided;
    nearest = rounded;
    away = distance;
    tie = unit / 2;
    dropped++;
  }
  if (away > tie - guard) return undecided;
  if (nearest >= 1e8) {
    nearest -= 1e8;
    upper++;
  }
  return writePlain(buffer, start, { upper, lower: nearest, shift });
}

/** Writes eight digits up to `end`, or nine. */
function writeUpper(buffer: Uint8Array, end: number, upper: number): void {
  const first = (upper / 100_000_000) | 0;
  if (upper >= 1e8) buffer[end - 9] = zero + first;
  writeEight(buffer, end, upper - first * 100_000_000);
}

/** A number of 16 or 17 digits, whose last eight are `lower`, with its point before the last `shift` of them. */
interface Plain {
  readonly upper: number;
  readonly lower: number;
  readonly shift: number;
}

/** Writes a number without the zeros at its end. */
function writePlain(buffer: Uint8Array, start: number, { upper, lower, shift }: Plain): number {
  const size = upper >= 1e8 ? 9 : 8;
  const wholeSize = size + 8 - shift;
  let at = start + 1;
  if (wholeSize <= 0) {
    buffer[start] = zero;
    buffer[at++] = point;
    for (let i = wholeSize; i < 0; i++) buffer[at++] = zero;
  }
  let end = at + size;
  writeUpper(buffer, end, upper);
  if (lower !== 0 || wholeSize > size) {
    end += 8;
    writeEight(buffer, end, lower);
  }
  if (wholeSize > 0) {
    for (let i = start; i < start + wholeSize; i++) buffer[i] = buffer[i + 1] ?? 0;
    buffer[start + wholeSize] = point;
  }
  while (buffer[end - 1] === zero) end--;
  return buffer[end - 1] === point ? end - 1 : end;
}

/** The most that `writeTimestamp` writes: `-8640000000000.000`. */
export const timestampBytes = 18;

/** Writes a time as `formatTimestamp` does, and gives the place behind it. */
export function writeTimestamp(buffer: Uint8Array, start: number, timestampMs: number): number {
  const seconds = Math.floor(timestampMs / 1000);
  if (!(timestampMs >= 0 && seconds < 2 ** 32)) return writeText(buffer, start, formatTimestamp(timestampMs));
  const at = writeWhole(buffer, start, seconds);
  const rest = timestampMs - seconds * 1000;
  if (rest === 0) return at;
  buffer[at] = point;
  buffer[at + 1] = zero + Math.floor(rest / 100);
  return writePair(buffer, at + 4, rest % 100) + 2;
}
