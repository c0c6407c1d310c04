/** Numbers and durations as Prometheus's lexer takes them, and where it gives up (promql/parser/lex.go, `lexNumberOrDuration`). */

interface Cursor {
  readonly text: string;
  at: number;
}

const isAny = ({ text, at }: Cursor, wanted: string): boolean => at < text.length && wanted.includes(text[at] ?? '');

function accept(cursor: Cursor, wanted: string): boolean {
  if (!isAny(cursor, wanted)) return false;
  cursor.at++;
  return true;
}

function acceptRun(cursor: Cursor, wanted: string): void {
  while (accept(cursor, wanted)) {
    // All of them are taken.
  }
}

const decimals = '0123456789';
const isWordCharacter = ({ text, at }: Cursor): boolean => /\w/.test(text[at] ?? '');
const isAtEnd = ({ text, at }: Cursor): boolean => at >= text.length;

/** What a number has had of what it may have once. */
interface Seen {
  point: boolean;
  exponent: boolean;
}

/** Takes the next part of a number; false where it cannot be one. */
function scanPart(cursor: Cursor, digits: string, seen: Seen): boolean {
  if (seen.point && accept(cursor, '.')) return false;
  if (seen.exponent && accept(cursor, 'eE')) return false;
  if (accept(cursor, '.')) {
    seen.point = true;
    // Nor has a hexadecimal number a fraction.
    return !accept(cursor, '_.') && digits === decimals;
  }
  if (accept(cursor, 'eE')) {
    seen.exponent = true;
    accept(cursor, '+-');
    return !accept(cursor, '._eE') && !isAtEnd(cursor);
  }
  if (accept(cursor, '_')) return !accept(cursor, '._eE') && !isAtEnd(cursor);
  acceptRun(cursor, digits);
  return true;
}

function scanNumber(cursor: Cursor): boolean {
  const from = cursor.at;
  let digits = decimals;
  if (accept(cursor, '0') && accept(cursor, 'xX')) {
    accept(cursor, '_');
    digits = '0123456789abcdefABCDEF';
  }
  const seen: Seen = { point: false, exponent: false };
  accept(cursor, '.');
  accept(cursor, digits);
  while (isAny(cursor, `${digits}._eE`)) if (!scanPart(cursor, digits, seen)) return false;
  return cursor.at > from && !isWordCharacter(cursor);
}

function scanDuration(cursor: Cursor): boolean {
  if (!accept(cursor, 'smhdwy')) return false;
  accept(cursor, 's');
  while (accept(cursor, decimals)) {
    acceptRun(cursor, decimals);
    // Years come first.
    if (!accept(cursor, 'smhdw')) return false;
    accept(cursor, 's');
  }
  if (!isWordCharacter(cursor)) return true;
  cursor.at++;
  return false;
}

export interface ScannedNumber {
  /** `bad` where it is neither. */
  readonly kind: 'number' | 'duration' | 'bad';
  /** As far as was read. */
  readonly text: string;
}

/** Reads the number or duration that begins at a digit or point. */
export function scanNumberOrDuration(query: string, from: number): ScannedNumber {
  const cursor: Cursor = { text: query, at: from };
  const kind = scanNumber(cursor) ? 'number' : scanDuration(cursor) ? 'duration' : 'bad';
  return { kind, text: query.slice(from, cursor.at) };
}
