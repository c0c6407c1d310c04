/**
 * A streaming JSON reader that takes and refuses what Gson's does by default, because Zipkin's server reads with that one: raw control
 * characters in strings, `\'` and `True` pass, and whatever follows the value is not looked at; comments, single quotes, bare words,
 * leading zeros, NaN and trailing commas do not. Numbers stay text until somebody asks for a number, so `1.50` read as a string is "1.50".
 */
import { type Long, longOf, nearestOf } from '../model/long.ts';
import { CodecError } from './codec-error.ts';
import { parseJavaDouble, parseJavaLong } from './java-number.ts';
import { WideSpanError } from './wide-span-error.ts';

/** How deep arrays and objects may lie in each other; Gson's default. */
const nestingLimit = 255;
/** Gson reads a number literal out of a buffer of this many characters; one that fills it is no number. */
const numberLengthLimit = 1024;
/** 2^64 has twenty digits. */
const wrappingDigits = 19;
const shownNameLength = 64;
const shownPathLength = 512;

const tokenNames = [
  '',
  'BEGIN_OBJECT',
  'END_OBJECT',
  'BEGIN_ARRAY',
  'END_ARRAY',
  'BOOLEAN',
  'BOOLEAN',
  'NULL',
  'STRING',
  'NAME',
  'NUMBER',
] as const;
const none = 0;
const beginObject = 1;
const endObject = 2;
const beginArray = 3;
const endArray = 4;
const literalTrue = 5;
const literalFalse = 6;
const literalNull = 7;
const string = 8;
const name = 9;
const number = 10;

const emptyDocument = 0;
const document = 1;
const emptyArray = 2;
const array = 3;
const emptyObject = 4;
const danglingName = 5;
const object = 6;

const quote = 0x22;
const backslash = 0x5c;
const lineBreak = 0x0a;
const escapes: ReadonlyMap<string, string> = new Map([
  ['t', '\t'],
  ['b', '\b'],
  ['n', '\n'],
  ['r', '\r'],
  ['f', '\f'],
  ['\n', '\n'],
  ["'", "'"],
  ['"', '"'],
  ['\\', '\\'],
  ['/', '/'],
]);
const keywords = [
  { word: 'true', token: literalTrue },
  { word: 'false', token: literalFalse },
  { word: 'null', token: literalNull },
] as const;
const hexQuad = /^[0-9a-fA-F]{4}$/;
const numberLiteral = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
/** The characters that end a literal. */
const isDelimiter = new Uint8Array(128);
for (const character of '{}[]:, \t\f\r\n/\\;#=') isDelimiter[character.charCodeAt(0)] = 1;

/** Reads one JSON text from its start, pulled by its caller token by token; a class because it is nothing but a position in a text. */
export class JsonReader {
  readonly #text: string;
  #position = 0;
  #peeked = none;

  /** How far the text is read. */
  get position(): number {
    return this.#position;
  }
  /** Where a peeked number ends. */
  #numberEnd = 0;
  /** Where the next backslash at or after the position is; most strings have none and are cut out whole. */
  #nextBackslash = -1;
  readonly #scopes: number[] = [emptyDocument];
  readonly #indices: number[] = [0];
  readonly #names: string[] = [''];

  /** Values that nobody asked for since whoever reads set it to zero, and how many may come: by the million they take seconds. */
  skipped = 0;
  readonly #maxSkipped: number;

  constructor(text: string, maxSkipped = Number.POSITIVE_INFINITY) {
    this.#text = text;
    this.#maxSkipped = maxSkipped;
  }

  beginArray(): void {
    this.#expect(beginArray, 'BEGIN_ARRAY');
    this.#push(emptyArray);
  }

  endArray(): void {
    this.#expect(endArray, 'END_ARRAY');
    this.#pop();
  }

  beginObject(): void {
    this.#expect(beginObject, 'BEGIN_OBJECT');
    this.#push(emptyObject);
  }

  endObject(): void {
    this.#expect(endObject, 'END_OBJECT');
    this.#pop();
  }

  /** Whether the current array or object has another element. */
  hasNext(): boolean {
    const token = this.#peek();
    return token !== endObject && token !== endArray;
  }

  isNull(): boolean {
    return this.#peek() === literalNull;
  }

  isString(): boolean {
    return this.#peek() === string;
  }

  isBoolean(): boolean {
    const token = this.#peek();
    return token === literalTrue || token === literalFalse;
  }

  nextName(): string {
    this.#expect(name, 'a name');
    const text = this.#readString();
    this.#names[this.#names.length - 1] = text;
    return text;
  }

  /** A string, or the text of a number as it was written. */
  nextString(): string {
    const token = this.#peek();
    let text: string;
    if (token === string) text = this.#readString();
    else if (token === number) text = this.#readNumber();
    else throw this.#unexpected('a string');
    this.#consumed();
    return text;
  }

  nextBoolean(): boolean {
    const token = this.#peek();
    if (token !== literalTrue && token !== literalFalse) throw this.#unexpected('a boolean');
    this.#consumed();
    return token === literalTrue;
  }

  /** A whole number within 64 bits, from a number or from text. What only a double can read is that double. */
  nextLong(): Long {
    return this.#nextInteger('a long', -(2 ** 63), 2 ** 63);
  }

  nextInt(): number {
    return nearestOf(this.#nextInteger('an int', -(2 ** 31), 2 ** 31 - 1));
  }

  /** Skips the next value whatever it holds. */
  skipValue(): void {
    const depth = this.#scopes.length;
    do {
      const token = this.#peek();
      if (++this.skipped > this.#maxSkipped) throw new WideSpanError('fields', this.#maxSkipped);
      if (token === beginArray) this.#push(emptyArray);
      else if (token === beginObject) this.#push(emptyObject);
      else if (token === endArray || token === endObject) this.#drop();
      else if (token === string || token === name) this.#skipString();
      else if (token === number) this.#position = this.#numberEnd;
      this.#peeked = none;
    } while (this.#scopes.length > depth);
    this.#advance();
  }

  /** Where the reader is, e.g. `$[0].annotations[0].timestamp`. */
  path(): string {
    let path = '$';
    for (let i = 1; i < this.#scopes.length && path.length < shownPathLength; i++) {
      const scope = this.#scopes[i];
      if (scope === emptyArray || scope === array) path += `[${this.#indices[i]}]`;
      else path += `.${(this.#names[i] ?? '').slice(0, shownNameLength)}`;
    }
    return path;
  }

  /** The error to throw for `reason` at the reader's place. */
  error(reason: string): CodecError {
    const text = this.#text;
    let line = 1;
    let lineStart = 0;
    // One after the other: a body of line breaks alone would make a list of forty million lines.
    for (let at = 0; at < this.#position; at++) {
      if (text.charCodeAt(at) !== lineBreak) continue;
      line++;
      lineStart = at + 1;
    }
    return new CodecError(`${reason} at line ${line} column ${this.#position - lineStart + 1} path ${this.path()}`);
  }

  #nextInteger(wanted: string, min: number, max: number): Long {
    const token = this.#peek();
    let text: string;
    if (token === number) text = this.#readNumber();
    else if (token === string) text = this.#readString();
    else throw this.#unexpected(wanted);
    let value = parseJavaLong(text);
    if (value === undefined || value < min || value > max) {
      const double = parseJavaDouble(text);
      if (double === undefined || !Number.isInteger(double) || double < min || double > max) {
        throw this.error(`Expected ${wanted} but was ${text.slice(0, shownNameLength)}`);
      }
      value = castToLong(double);
    }
    this.#consumed();
    return value;
  }

  #expect(token: number, wanted: string): void {
    if (this.#peek() !== token) throw this.#unexpected(wanted);
    this.#peeked = none;
  }

  #consumed(): void {
    this.#peeked = none;
    this.#advance();
  }

  #advance(): void {
    const top = this.#indices.length - 1;
    this.#indices[top] = (this.#indices[top] ?? 0) + 1;
  }

  #push(scope: number): void {
    if (this.#scopes.length > nestingLimit) throw this.error(`Nesting limit ${nestingLimit} reached`);
    this.#scopes.push(scope);
    this.#indices.push(0);
    this.#names.push('');
  }

  #drop(): void {
    this.#scopes.pop();
    this.#indices.pop();
    this.#names.pop();
  }

  #pop(): void {
    this.#drop();
    this.#advance();
  }

  #unexpected(wanted: string): CodecError {
    return this.error(`Expected ${wanted} but was ${tokenNames[this.#peek()] ?? ''}`);
  }

  #peek(): number {
    if (this.#peeked === none) this.#peeked = this.#scan();
    return this.#peeked;
  }

  /** Reads up to the next token; of strings and numbers, only their start. */
  #scan(): number {
    const top = this.#scopes.length - 1;
    const scope = this.#scopes[top];
    if (scope === emptyObject || scope === object) return this.#scanName(scope, top);
    if (scope === danglingName) {
      if (this.#nextCharacter() !== ':') throw this.error("Expected ':'");
      this.#scopes[top] = object;
    } else if (scope === array) {
      const separator = this.#nextCharacter();
      if (separator === ']') return endArray;
      if (separator !== ',') throw this.error('Unterminated array');
    } else if (scope === emptyArray) {
      this.#scopes[top] = array;
    } else if (scope === emptyDocument) {
      this.#scopes[top] = document;
    }
    const character = this.#nextCharacter();
    if (character === '"') return string;
    if (character === '{') return beginObject;
    if (character === '[') return beginArray;
    if (character === ']' && scope === emptyArray) return endArray;
    this.#position--;
    return this.#scanLiteral();
  }

  #scanName(scope: number, top: number): number {
    let character = this.#nextCharacter();
    if (scope === object) {
      if (character === '}') return endObject;
      if (character !== ',') throw this.error('Unterminated object');
      character = this.#nextCharacter();
    } else if (character === '}') {
      return endObject;
    }
    if (character !== '"') throw this.error('Expected name');
    this.#scopes[top] = danglingName;
    return name;
  }

  #scanLiteral(): number {
    const text = this.#text;
    const start = this.#position;
    for (const { word, token } of keywords) {
      if (!matchesKeyword(text, start, word) || !this.#isDelimited(start + word.length)) continue;
      this.#position = start + word.length;
      return token;
    }
    numberLiteral.lastIndex = start;
    if (!numberLiteral.test(text)) throw this.error('Malformed JSON, expected a value');
    const end = numberLiteral.lastIndex;
    const isNumber = this.#isDelimited(end) && end - start < numberLengthLimit && !wrapsToZero(text, start, end);
    if (!isNumber) throw this.error('Malformed JSON, expected a value');
    this.#numberEnd = end;
    return number;
  }

  #isDelimited(end: number): boolean {
    return end >= this.#text.length || isDelimiter[this.#text.charCodeAt(end)] === 1;
  }

  #nextCharacter(): string {
    const text = this.#text;
    let position = this.#position;
    while (position < text.length) {
      const code = text.charCodeAt(position++);
      if (code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09) continue;
      this.#position = position;
      return text[position - 1] ?? '';
    }
    this.#position = position;
    throw this.error('End of input');
  }

  #readNumber(): string {
    const text = this.#text.slice(this.#position, this.#numberEnd);
    this.#position = this.#numberEnd;
    return text;
  }

  /** The rest of a string whose opening quote was read. */
  #readString(): string {
    const start = this.#position;
    const end = this.#findPlainEnd();
    if (end !== -1) return this.#text.slice(start, end);
    const parts: string[] = [];
    this.#unescape(parts);
    return toWellFormed(parts.join(''));
  }

  #skipString(): void {
    if (this.#findPlainEnd() === -1) this.#unescape(undefined);
  }

  /** Moves behind the closing quote and tells where it was, or -1 (and does not move) when a backslash comes first. */
  #findPlainEnd(): number {
    const end = this.#text.indexOf('"', this.#position);
    if (end === -1) throw this.error('Unterminated string');
    if (this.#nextBackslash < this.#position) {
      const found = this.#text.indexOf('\\', this.#position);
      this.#nextBackslash = found === -1 ? Number.POSITIVE_INFINITY : found;
    }
    if (this.#nextBackslash < end) return -1;
    this.#position = end + 1;
    return end;
  }

  #unescape(parts: string[] | undefined): void {
    const text = this.#text;
    let position = this.#position;
    let start = position;
    for (;;) {
      if (position >= text.length) throw this.error('Unterminated string');
      const code = text.charCodeAt(position);
      if (code === quote) break;
      if (code !== backslash) {
        position++;
        continue;
      }
      parts?.push(text.slice(start, position));
      this.#position = position + 1;
      const unescaped = this.#readEscape();
      parts?.push(unescaped);
      position = start = this.#position;
    }
    parts?.push(text.slice(start, position));
    this.#position = position + 1;
  }

  #readEscape(): string {
    const character = this.#text[this.#position] ?? '';
    if (character === '') throw this.error('Unterminated escape sequence');
    if (character === 'u') {
      const digits = this.#text.slice(this.#position + 1, this.#position + 5);
      if (!hexQuad.test(digits)) throw this.error(`Malformed Unicode escape \\u${digits}`);
      this.#position += 5;
      return String.fromCharCode(Number.parseInt(digits, 16));
    }
    const unescaped = escapes.get(character);
    if (unescaped === undefined) throw this.error('Invalid escape sequence');
    this.#position++;
    return unescaped;
  }
}

/**
 * Gson adds up the digits before a point in 64 bits and takes a sum of zero for a leading zero, also when it only wrapped around to zero:
 * 10^64 with a digit more is no number.
 */
function wrapsToZero(text: string, start: number, end: number): boolean {
  if (end - start <= wrappingDigits) return false;
  let high = 0;
  let low = 0;
  for (let i = start; i < end; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit === -3) continue; // The sign.
    if (digit < 0 || digit > 9) return false;
    if (i - start > wrappingDigits && high === 0 && low === 0) return true;
    low = low * 10 + digit;
    high = (high * 10 + Math.floor(low / 2 ** 32)) >>> 0;
    low >>>= 0;
  }
  return false;
}

/** Java's cast of a whole double that is 2^63 or less: that one becomes the last long. */
function castToLong(double: number): Long {
  if (Number.isSafeInteger(double)) return double + 0;
  return longOf(double === 2 ** 63 ? 2n ** 63n - 1n : BigInt(double));
}

/** Half a surrogate pair cannot be written as UTF-8; Zipkin writes a question mark for it. */
function toWellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '?');
}

function matchesKeyword(text: string, start: number, word: string): boolean {
  for (let i = 0; i < word.length; i++) {
    // Setting this bit folds ASCII letters to lower case; what else it folds onto a letter is a control character or '@' and the like.
    const code = text.charCodeAt(start + i);
    const isLetter = (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a);
    if (!isLetter || (code | 0x20) !== word.charCodeAt(i)) return false;
  }
  return true;
}
