/** JSON of OTLP as JavaScript's own values, without rounding an integer and without trouble from nesting. */
import { isAscii } from 'node:buffer';
import { CodecError } from '../codec-error.ts';

/** What the readers of messages take is less; this is for JSON.parse. */
const nestingLimit = 400;
/** Shorter numbers are exact. */
const exactDigits = 15;
/** One that is not just behind a quote, as nanoseconds and ids are. */
const longNumber = /[:,[\s]-?[0-9]{16}/;

const quote = 0x22;
const backslash = 0x5c;

/** Parses a body; integers with more than 15 digits become texts, which is how the protocol writes 64-bit integers. */
export function parseJson(body: Buffer): unknown {
  const text = isAscii(body) ? body.toString('latin1') : body.toString('utf8');
  if (hasManyBrackets(text)) checkNesting(text);
  try {
    return JSON.parse(longNumber.test(text) ? quoteLongIntegers(text) : text);
  } catch (error) {
    throw new CodecError(`malformed JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Each bracket costs JSON.parse 0.2 µs where lists are nested in lists: 3 s for 20 MB of them. Real requests have far fewer. */
function hasManyBrackets(text: string): boolean {
  let left = 64 + text.length / 32;
  for (let at = text.indexOf('['); at !== -1; at = text.indexOf('[', at + 1)) if (--left < 0) return true;
  return false;
}

function checkNesting(text: string): void {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === quote) i = endOfString(text, i);
    else if (code === 0x5b || code === 0x7b) {
      if (++depth > nestingLimit) throw new CodecError(`malformed JSON: nested more than ${nestingLimit} deep at ${i}`);
    } else if (code === 0x5d || code === 0x7d) depth--;
  }
}

/** Where a string that begins at `start` ends; the end of the text where it does not. */
function endOfString(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === backslash) i++;
    else if (code === quote) return i;
  }
  return text.length;
}

function quoteLongIntegers(text: string): string {
  let quoted = '';
  let copied = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === quote) i = endOfString(text, i);
    else if ((code >= 0x30 && code <= 0x39) || code === 0x2d) {
      const end = endOfNumber(text, i);
      const literal = text.slice(i, end);
      if (literal.length > exactDigits && /^-?(?:0|[1-9][0-9]*)$/.test(literal)) {
        quoted += `${text.slice(copied, i)}"${literal}"`;
        copied = end;
      }
      i = end - 1;
    }
  }
  return quoted + text.slice(copied);
}

function endOfNumber(text: string, start: number): number {
  let end = start + 1;
  while (end < text.length && /[0-9+\-.eE]/.test(text.charAt(end))) end++;
  return end;
}
