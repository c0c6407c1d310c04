/**
 * A cursor over the bytes of JSON as OTLP's senders write it. It takes nothing that JSON.parse would refuse and gives up on whatever is
 * unusual, so that the reader of everything decides (`json-text.ts`). Hot: bench/codec.ts.
 */
import { knownText } from '../known-texts.ts';
import { readInt64 } from '../protobuf/json-fields.ts';
import type { Bits64 } from '../protobuf/wire-reader.ts';

/** Thrown to give up; made once, because to make an error costs more than to read a span. */
export const unusual = new Error('JSON that is left to the reader of everything');

const quote = 0x22;
const backslash = 0x5c;
const minus = 0x2d;
const zero = 0x30;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const comma = 0x2c;
const colon = 0x3a;
/** What a double holds in any case. */
const exactDigits = 15;
const jsonNumber = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;

/** What takes a few milliseconds to read. */
const stepLength = 256 * 1024;

/** Places with a memory of what stood there. */
const maxPlaces = 64;

/** The names of a message's fields, and which is looked for first. */
export interface FieldNames {
  readonly names: readonly string[];
  readonly step: 0 | 1;
  expected: number;
}

/** The fields of a message in the order in which most senders write them. */
export const fieldsOf = (...names: readonly string[]): FieldNames => ({ names, step: 1, expected: 0 });
/** The fields of which a message has one. */
export const oneOf = (...names: readonly string[]): FieldNames => ({ names, step: 0, expected: 0 });

/** A class because it is nothing but a position in a text. */
export class JsonCursor {
  readonly #bytes: Buffer;
  /** The same, a character a byte: to cut text out of it is cheaper than to ask for it piece by piece. */
  readonly #text: string;
  #at = 0;
  #stepStart = 0;
  readonly #lastTexts: string[] = [];

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#text = bytes.toString('latin1');
  }

  /** Whether so much was read since it last was that others should have their turn. */
  isStepOver(): boolean {
    if (this.#at - this.#stepStart < stepLength) return false;
    this.#stepStart = this.#at;
    return true;
  }

  /** Passes over what stands here if it is just this, to the byte. */
  passes(literal: string): boolean {
    const bytes = this.#bytes;
    const start = this.#at;
    const { length } = literal;
    for (let i = 0; i < length; i++) if (bytes[start + i] !== literal.charCodeAt(i)) return false;
    this.#at = start + length;
    return true;
  }

  /** Enters an object; false where it is empty, and then it is left already. */
  entersObject(): boolean {
    return this.#enters(openBrace, closeBrace);
  }

  /** Whether another field follows in the object; leaves it otherwise. */
  hasField(): boolean {
    return this.#goesOn(closeBrace);
  }

  entersList(): boolean {
    return this.#enters(openBracket, closeBracket);
  }

  hasItem(): boolean {
    return this.#goesOn(closeBracket);
  }

  /** The name of the next field, one of those that are known. */
  key(fields: FieldNames): string {
    const start = this.#enterText();
    const { names, step } = fields;
    let place = fields.expected;
    for (let left = names.length; left > 0; left--) {
      if (place >= names.length) place = 0;
      const name = names[place] ?? '';
      if (this.#isAt(name, start)) {
        fields.expected = place + step;
        this.#at = start + name.length + 1;
        if (this.#next() !== colon) throw unusual;
        this.#at++;
        return name;
      }
      place++;
    }
    throw unusual;
  }

  /** Text that is seldom the same twice. It may be a part of the body's text: copy it where it outlives the body. */
  text(): string {
    this.#enterText();
    return this.restOfText();
  }

  /** The same where its opening quote was passed. */
  restOfText(): string {
    const start = this.#at;
    const bytes = this.#bytes;
    let seen = 0;
    for (let i = start; ; i++) {
      const byte = bytes[i];
      if (byte === quote) {
        this.#at = i + 1;
        return seen > 0x7f ? bytes.toString('utf8', start, i) : this.#text.slice(start, i);
      }
      if (byte === backslash) return this.#escapedText(start, i);
      if (byte === undefined || byte < 0x20) throw unusual;
      seen |= byte;
    }
  }

  /** Text that comes again and again. `place` is where in its list it stands: mostly what stood there last stands there again. */
  repeatedText(place: number): string {
    this.#enterText();
    return this.restOfRepeatedText(place);
  }

  /** The same where its opening quote was passed. */
  restOfRepeatedText(place: number): string {
    const start = this.#at;
    const last = this.#lastTexts[place];
    if (last !== undefined && this.#isAt(last, start)) {
      this.#at = start + last.length + 1;
      return last;
    }
    const bytes = this.#bytes;
    for (let i = start; ; i++) {
      const byte = bytes[i];
      if (byte === quote) {
        this.#at = i + 1;
        const known = knownText(bytes, start, i);
        if (known === undefined) return bytes.toString('utf8', start, i);
        if (place < maxPlaces) this.#lastTexts[place] = known;
        return known;
      }
      if (byte === backslash) return this.#escapedText(start, i);
      if (byte === undefined || byte < 0x20) throw unusual;
    }
  }

  /** Pairs of hex digits, as lower-case ones. */
  hex(): string {
    const start = this.#enterText();
    const bytes = this.#bytes;
    let end = start;
    while (isLowerHex(bytes[end])) end++;
    if (bytes[end] !== quote || (end - start) % 2 !== 0) throw unusual;
    this.#at = end + 1;
    return this.#text.slice(start, end);
  }

  /** A whole number of at most 15 digits, as a number or as text. */
  integer(): number {
    const isQuoted = this.#next() === quote;
    if (isQuoted) this.#at++;
    const bytes = this.#bytes;
    const isNegative = bytes[this.#at] === minus;
    const start = isNegative ? this.#at + 1 : this.#at;
    let end = start;
    let value = 0;
    for (; isDigit(bytes[end]); end++) value = value * 10 + (bytes[end] ?? 0) - zero;
    this.#endNumber(start, end, isQuoted);
    if (end - start > exactDigits) throw unusual;
    return isNegative ? 0 - value : value;
  }

  /** A whole number of any length between quotes, or of few digits without them. */
  bigInteger(): bigint {
    const start = this.#at;
    try {
      return BigInt(this.integer());
    } catch (error) {
      if (error !== unusual) throw error;
      this.#at = start;
      return readInt64(this.text());
    }
  }

  /** Up to 19 digits without a sign: nanoseconds since 1970. */
  bits64(): Bits64 {
    const isQuoted = this.#next() === quote;
    if (isQuoted) this.#at++;
    const bytes = this.#bytes;
    const start = this.#at;
    let end = start;
    while (isDigit(bytes[end])) end++;
    this.#endNumber(start, end, isQuoted);
    if (end - start > 19) throw unusual;
    const middle = Math.max(start, end - 9);
    let upper = 0;
    for (let i = start; i < middle; i++) upper = upper * 10 + (bytes[i] ?? 0) - zero;
    let lower = 0;
    for (let i = middle; i < end; i++) lower = lower * 10 + (bytes[i] ?? 0) - zero;
    // upper * 10^9 + lower, by halves: 10^9 is below 2^30 and upper is below 2^34.
    const upperLow = (upper % 0x1_0000) * 1e9 + lower;
    const upperHigh = Math.floor(upper / 0x1_0000) * 1e9 + Math.floor(upperLow / 0x1_0000);
    return {
      low: ((upperHigh % 0x1_0000) * 0x1_0000 + (upperLow % 0x1_0000)) >>> 0,
      high: Math.floor(upperHigh / 0x1_0000),
    };
  }

  /** A number as JSON writes it, or the text that stands in its place. */
  double(): number | string {
    if (this.#next() === quote) return this.text();
    jsonNumber.lastIndex = this.#at;
    const literal = jsonNumber.exec(this.#text)?.[0];
    if (literal === undefined) throw unusual;
    this.#at += literal.length;
    return Number(literal);
  }

  bool(): boolean {
    this.#next();
    const isTrue = this.#text.startsWith('true', this.#at);
    if (!isTrue && !this.#text.startsWith('false', this.#at)) throw unusual;
    this.#at += isTrue ? 4 : 5;
    return isTrue;
  }

  /** Whether the next value is a text. */
  isText(): boolean {
    return this.#next() === quote;
  }

  /** Nothing but white space may follow. */
  end(): void {
    if (this.#next() !== undefined) throw unusual;
  }

  /** Passes over white space; the byte behind it. */
  #next(): number | undefined {
    const bytes = this.#bytes;
    let byte = bytes[this.#at];
    while (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) byte = bytes[++this.#at];
    return byte;
  }

  #enters(open: number, close: number): boolean {
    if (this.#next() !== open) throw unusual;
    this.#at++;
    if (this.#next() !== close) return true;
    this.#at++;
    return false;
  }

  #goesOn(close: number): boolean {
    const byte = this.#next();
    if (byte !== comma && byte !== close) throw unusual;
    this.#at++;
    return byte === comma;
  }

  /** Whether a text that has neither quotes nor backslashes stands here between quotes. */
  #isAt(text: string, start: number): boolean {
    const bytes = this.#bytes;
    const { length } = text;
    if (bytes[start + length] !== quote) return false;
    for (let i = 0; i < length; i++) if (bytes[start + i] !== text.charCodeAt(i)) return false;
    return true;
  }

  #enterText(): number {
    if (this.#next() !== quote) throw unusual;
    return ++this.#at;
  }

  /** A text whose first backslash is known. */
  #escapedText(start: number, firstBackslash: number): string {
    const bytes = this.#bytes;
    let end = firstBackslash;
    while (bytes[end] !== quote) {
      if (end >= bytes.length) throw unusual;
      end += bytes[end] === backslash ? 2 : 1;
    }
    this.#at = end + 1;
    return JSON.parse(bytes.toString('utf8', start - 1, end + 1));
  }

  #endNumber(start: number, end: number, isQuoted: boolean): void {
    if (end === start) throw unusual;
    this.#at = isQuoted ? end + 1 : end;
    if (isQuoted && this.#bytes[end] !== quote) throw unusual;
    if (!isQuoted && end - start > 1 && this.#bytes[start] === zero) throw unusual;
  }
}

const isLowerHex = (byte: number | undefined): boolean =>
  byte !== undefined && ((byte >= zero && byte <= 0x39) || (byte >= 0x61 && byte <= 0x66));
const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= zero && byte <= 0x39;
