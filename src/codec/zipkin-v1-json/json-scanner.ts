/**
 * Scans the JSON that tracers write, a token after the other, straight from the bytes: no object is made that nobody keeps. Whatever is
 * unusual (which includes all that is wrong) ends it. Hot: bench/codec.ts.
 */
import { ByteReader } from '../byte-reader.ts';
import { decodeUtf8 } from '../java-text.ts';
import { knownText } from '../known-texts.ts';

const quote = 0x22;
const backslash = 0x5c;
const minus = 0x2d;
const zero = 0x30;
const comma = 0x2c;
const colon = 0x3a;
const letterE = 0x45;
const letterS = 0x73;
const letterN = 0x6e;
const letterT = 0x74;
const letterF = 0x66;
/** Any number of so many digits is exact. */
const digitsLimit = 15;
/** From here on it pays to ask for the end of a text. */
const longText = 16 * 1024;

/** Thrown to end a scan; another reader has to look. */
export const unusual = new Error('unusual JSON');

export class JsonScanner {
  readonly bytes: ByteReader;

  constructor(body: Buffer) {
    this.bytes = new ByteReader(body);
  }

  /** The next byte that is no blank, without passing over it. */
  peek(): number {
    const { bytes } = this.bytes;
    for (;;) {
      const byte = bytes[this.bytes.position];
      if (byte === undefined) throw unusual;
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return byte;
      this.bytes.position++;
    }
  }

  /** Whether nothing but blanks is left. */
  isAtEnd(): boolean {
    const { bytes, position } = this.bytes;
    for (let at = position; at < bytes.length; at++) if (!isBlank(bytes[at])) return false;
    return true;
  }

  expect(byte: number): void {
    if (this.peek() !== byte) throw unusual;
    this.bytes.position++;
  }

  /** Whether another element follows in what `close` ends; passes over the comma or the end. */
  hasNext(isFirst: boolean, close: number): boolean {
    const byte = this.peek();
    if (byte === close) {
      this.bytes.position++;
      return false;
    }
    if (isFirst) return true;
    if (byte !== comma) throw unusual;
    this.bytes.position++;
    return true;
  }

  /** The name of a field, and its colon. */
  name(): string {
    const name = this.text(true);
    this.expect(colon);
    return name;
  }

  /** Passes over a null; false when something else is there. */
  isNull(): boolean {
    return this.peek() === letterN && this.#literal('null');
  }

  boolean(): boolean {
    const byte = this.peek();
    if (byte === letterT && this.#literal('true')) return true;
    if (byte === letterF && this.#literal('false')) return false;
    throw unusual;
  }

  #literal(word: string): boolean {
    const { bytes, position } = this.bytes;
    for (let i = 0; i < word.length; i++) if (bytes[position + i] !== word.charCodeAt(i)) throw unusual;
    this.bytes.position = position + word.length;
    this.#delimiter();
    return true;
  }

  /** A whole number of up to 16 digits. */
  integer(): number {
    const isNegative = this.peek() === minus;
    const { bytes } = this.bytes;
    const start = this.bytes.position + (isNegative ? 1 : 0);
    let value = 0;
    let at = start;
    for (let digit = digitAt(bytes, at); digit >= 0; digit = digitAt(bytes, ++at)) value = value * 10 + digit;
    const digits = at - start;
    if (digits === 0 || digits > digitsLimit + 1 || value > Number.MAX_SAFE_INTEGER) throw unusual;
    if (digits > 1 && bytes[start] === zero) throw unusual;
    this.bytes.position = at;
    this.#delimiter();
    return isNegative ? 0 - value : value;
  }

  /** A literal goes on until a comma, an end or a blank; anything else makes it another one. */
  #delimiter(): void {
    const byte = this.bytes.bytes[this.bytes.position];
    const isOne =
      byte === comma ||
      byte === 0x7d ||
      byte === 0x5d ||
      byte === 0x20 ||
      byte === 0x0a ||
      byte === 0x0d ||
      byte === 0x09;
    if (!isOne) throw unusual;
  }

  /** A string; `isKnown` where the same texts come again and again. */
  text(isKnown: boolean): string {
    if (this.peek() !== quote) throw unusual;
    const { bytes } = this.bytes;
    const start = this.bytes.position + 1;
    let seen = 0;
    let hasEscape = false;
    let end = start;
    for (let byte = bytes[end] ?? 0; byte !== quote; byte = bytes[++end] ?? 0) {
      // Beyond the end too.
      if (byte < 0x20) throw unusual;
      seen |= byte;
      if (byte === backslash) {
        hasEscape = true;
        end++;
      }
      if (end - start > longText) return this.#longText(start);
    }
    this.bytes.position = end + 1;
    if (isVersionTwo(bytes, end)) throw unusual;
    if (hasEscape) return withoutEscapes(decodeUtf8(bytes.subarray(start, end)));
    if (seen > 0x7f) return decodeUtf8(bytes.subarray(start, end));
    return (isKnown ? knownText(bytes, start, end) : undefined) ?? this.bytes.ascii(start, end);
  }

  #longText(start: number): string {
    const { bytes } = this.bytes;
    let end = bytes.indexOf(quote, start);
    for (; end !== -1; end = bytes.indexOf(quote, end + 1)) {
      let first = end;
      while (bytes[first - 1] === backslash && first > start) first--;
      if ((end - first) % 2 === 0) break;
    }
    if (end === -1 || isVersionTwo(bytes, end)) throw unusual;
    this.bytes.position = end + 1;
    const text = bytes.subarray(start, end);
    return text.includes(backslash) ? withoutEscapes(decodeUtf8(text)) : decodeUtf8(text);
  }
}

/** Whether the string that ends there has what Zipkin takes for a field of version 2, wherever it stands (`checkListFormat`). */
function isVersionTwo(bytes: Buffer, end: number): boolean {
  const last = bytes[end - 1];
  if (last === letterS) return bytes[end - 5] === quote && bytes.toString('latin1', end - 4, end) === 'tags';
  return last === letterT && bytes[end - 8] === letterE && bytes.toString('latin1', end - 8, end) === 'Endpoint';
}

const isBlank = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

function digitAt(bytes: Buffer, at: number): number {
  const byte = bytes[at] ?? 0;
  return byte >= zero && byte <= 0x39 ? byte - zero : -1;
}

/** Half surrogate pairs, which have to become question marks, and escapes of Gson's own are unusual. */
function withoutEscapes(text: string): string {
  if (/\\u[dD]/.test(text)) throw unusual;
  let value: unknown;
  try {
    value = JSON.parse(`"${text}"`);
  } catch {
    // The exact reader says what is wrong, or that nothing is.
    throw unusual;
  }
  if (typeof value !== 'string') throw unusual;
  return value;
}
