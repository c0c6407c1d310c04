/**
 * Where each key of a TOML document stands. The parser gives positions for syntax errors only, so this scans a text that the parser
 * has already accepted: headers, arrays of tables, dotted and quoted keys, inline tables, arrays and multi-line strings.
 */
import type { Path } from './schema-walk.ts';

/** Offsets in the text. For an element of an array the key is the value. */
export interface KeyPosition {
  readonly keyStart: number;
  readonly keyEnd: number;
  readonly valueStart: number;
  readonly valueEnd: number;
}

export interface Locator {
  /** The position of a path such as `['inputs', 'prom', 2, 'interval']`, or undefined when the text does not spell it out. */
  find(path: Path): KeyPosition | undefined;
  /** The position of the path, or of the nearest table around it. */
  nearest(path: Path): { readonly position: KeyPosition; readonly isExact: boolean };
}

interface KeyPart {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

const pathKey = (path: Path): string => JSON.stringify(path);
const bareKey = /[A-Za-z0-9_-]+/y;
/** Nobody nests deeper by hand; a generated monster only loses its exact positions. */
const maxParts = 200;
/** Beyond the depth at which the parser refuses. */
const maxDepth = 600;
const start: KeyPosition = { keyStart: 0, keyEnd: 0, valueStart: 0, valueEnd: 0 };

/** The offset after the string that begins at `at` with a quote; multi-line strings and escapes are understood. */
export function skipString(text: string, at: number): number {
  const quote = text[at] ?? '';
  const triple = quote.repeat(3);
  if (text.startsWith(triple, at)) {
    let i = at + 3;
    while (i < text.length && !text.startsWith(triple, i)) i += quote === '"' && text[i] === '\\' ? 2 : 1;
    i += 3;
    // Up to two further quotes may belong to the string's end.
    for (let more = 0; more < 2 && text[i] === quote; more++) i++;
    return Math.min(i, text.length);
  }
  let i = at + 1;
  while (i < text.length && text[i] !== quote && text[i] !== '\n') i += quote === '"' && text[i] === '\\' ? 2 : 1;
  return Math.min(i + 1, text.length);
}

/** The offset after blanks, and after comments and line ends too where `acrossLines`. */
function skipBlank(text: string, from: number, acrossLines: boolean): number {
  let i = from;
  for (; i < text.length; i++) {
    const char = text[i];
    if (char === ' ' || char === '\t') continue;
    if (acrossLines && (char === '\n' || char === '\r')) continue;
    if (acrossLines && char === '#') {
      const end = text.indexOf('\n', i);
      if (end === -1) return text.length;
      i = end;
      continue;
    }
    break;
  }
  return i;
}

function unquote(raw: string): string {
  if (raw.startsWith("'")) return raw.slice(1, -1);
  try {
    return String(JSON.parse(raw));
  } catch {
    // An escape that JSON lacks (\e, \x, \U): such a key only loses its exact position.
    return raw.slice(1, -1);
  }
}

function readKey(text: string, from: number): { readonly parts: readonly KeyPart[]; readonly end: number } {
  const parts: KeyPart[] = [];
  let i = from;
  for (;;) {
    i = skipBlank(text, i, false);
    const at = i;
    if (text[i] === '"' || text[i] === "'") {
      i = skipString(text, i);
      parts.push({ name: unquote(text.slice(at, i)), start: at, end: i });
    } else {
      bareKey.lastIndex = i;
      const name = bareKey.exec(text)?.[0];
      if (name === undefined || parts.length > maxParts) return { parts, end: i };
      i += name.length;
      parts.push({ name, start: at, end: i });
    }
    const dot = skipBlank(text, i, false);
    if (text[dot] !== '.') return { parts, end: i };
    i = dot + 1;
  }
}

/** What a scan has found so far. */
interface Scan {
  readonly text: string;
  readonly positions: Map<string, KeyPosition>;
  /** The number of the latest element of each array of tables. */
  readonly lastIndex: Map<string, number>;
}

function record(scan: Scan, path: Path, position: KeyPosition): void {
  const key = pathKey(path);
  if (!scan.positions.has(key)) scan.positions.set(key, position);
}

/** The path that a header names: through arrays of tables it goes to their latest element. */
function resolve(scan: Scan, names: readonly string[]): (string | number)[] {
  const path: (string | number)[] = [];
  for (const name of names) {
    path.push(name);
    const index = scan.lastIndex.get(pathKey(path));
    if (index !== undefined) path.push(index);
  }
  return path;
}

/** Each of these scans one construct at `from` and returns the offset after it. */
function scanAssignment(scan: Scan, base: Path, from: number): number {
  const key = readKey(scan.text, from);
  const equals = skipBlank(scan.text, key.end, false);
  if (key.parts.length === 0 || scan.text[equals] !== '=') return Math.max(from + 1, equals);
  const path = [...base, ...key.parts.map((part) => part.name)];
  const valueStart = skipBlank(scan.text, equals + 1, false);
  const valueEnd = scanValue(scan, path, valueStart);
  key.parts.forEach((part, i) => {
    const position = { keyStart: part.start, keyEnd: part.end, valueStart, valueEnd };
    record(scan, path.slice(0, base.length + i + 1), position);
  });
  return valueEnd;
}

function scanArray(scan: Scan, path: Path, from: number): number {
  const { text } = scan;
  let i = skipBlank(text, from + 1, true);
  for (let index = 0; i < text.length && text[i] !== ']'; index++) {
    const end = scanValue(scan, [...path, index], i);
    record(scan, [...path, index], { keyStart: i, keyEnd: end, valueStart: i, valueEnd: end });
    i = skipBlank(text, end, true);
    if (text[i] === ',') i = skipBlank(text, i + 1, true);
    else if (text[i] !== ']') break;
  }
  return Math.min(i + 1, text.length);
}

function scanInlineTable(scan: Scan, path: Path, from: number): number {
  const { text } = scan;
  let i = skipBlank(text, from + 1, true);
  while (i < text.length && text[i] !== '}') {
    i = skipBlank(text, scanAssignment(scan, path, i), true);
    if (text[i] === ',') i = skipBlank(text, i + 1, true);
    else if (text[i] !== '}') break;
  }
  return Math.min(i + 1, text.length);
}

function scanValue(scan: Scan, path: Path, from: number): number {
  const { text } = scan;
  const char = text[from];
  if (char === '"' || char === "'") return skipString(text, from);
  if (path.length < maxDepth && char === '[') return scanArray(scan, path, from);
  if (path.length < maxDepth && char === '{') return scanInlineTable(scan, path, from);
  let i = from;
  while (i < text.length && !/[,\]}#\r\n]/.test(text[i] ?? '')) i++;
  return from + text.slice(from, i).trimEnd().length;
}

function scanHeader(scan: Scan, from: number): { readonly base: Path; readonly end: number } {
  const { text } = scan;
  const isArray = text.startsWith('[[', from);
  const key = readKey(text, from + (isArray ? 2 : 1));
  const names = key.parts.map((part) => part.name);
  const path = resolve(scan, isArray ? names.slice(0, -1) : names);
  const close = text.indexOf(']', key.end);
  const end = close === -1 ? text.length : close + (isArray ? 2 : 1);
  const position = { keyStart: from, keyEnd: end, valueStart: from, valueEnd: end };
  if (isArray) {
    path.push(names.at(-1) ?? '');
    const index = (scan.lastIndex.get(pathKey(path)) ?? -1) + 1;
    scan.lastIndex.set(pathKey(path), index);
    path.push(index);
  }
  for (let length = 1; length <= path.length; length++) record(scan, path.slice(0, length), position);
  return { base: path, end };
}

/** Scans a text that is valid TOML; on any other text it finds less, but neither throws nor loops. */
export function createLocator(text: string): Locator {
  const scan: Scan = { text, positions: new Map(), lastIndex: new Map() };
  let base: Path = [];
  for (let i = skipBlank(text, 0, true); i < text.length; i = skipBlank(text, i, true)) {
    if (text[i] === '[') {
      const header = scanHeader(scan, i);
      base = header.base;
      i = header.end;
    } else {
      i = Math.max(i + 1, scanAssignment(scan, base, i));
    }
  }
  const find = (path: Path) => scan.positions.get(pathKey(path));
  return {
    find,
    nearest(path) {
      for (let length = path.length; length > 0; length--) {
        const position = find(path.slice(0, length));
        if (position !== undefined) return { position, isExact: length === path.length };
      }
      return { position: start, isExact: false };
    },
  };
}
