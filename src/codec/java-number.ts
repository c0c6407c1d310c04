/** Texts that Java's `Long.parseLong` and `Double.parseDouble` take for numbers, which is what Zipkin takes where JSON has text for a number. */
import { type Long, longOf } from '../model/long.ts';

const decimalDigit = /^\p{Nd}$/u;
const asciiLong = /^[+-]?[0-9]+$/;
const unicodeLong = /^[+-]?\p{Nd}+$/u;
/** Alternatives start with different characters and no two neighbouring repetitions share one: linear on any input. */
const javaDouble =
  /^[\0-\x20]*([+-]?)(?:(NaN)|(Infinity)|([0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|\.[0-9]+(?:[eE][+-]?[0-9]+)?)[fFdD]?|0[xX]([0-9a-fA-F]*)(?:\.([0-9a-fA-F]*))?[pP]([+-]?[0-9]+)[fFdD]?)[\0-\x20]*$/;

const longLimit = 2n ** 63n;

/** `Long.parseLong`: an optional sign and decimal digits of any script within 64 bits, or undefined. */
export function parseJavaLong(text: string): Long | undefined {
  if (!asciiLong.test(text)) {
    if (!unicodeLong.test(text)) return undefined;
    return parseJavaLong(toAsciiDigits(text));
  }
  const value = Number(text);
  // -0 is none in Java.
  if (Number.isSafeInteger(value)) return value + 0;
  if (Math.abs(value) > 2 ** 63) return undefined;
  const exact = BigInt(text.startsWith('+') ? text.slice(1) : text);
  return exact >= -longLimit && exact < longLimit ? longOf(exact) : undefined;
}

/** `Double.parseDouble`: decimal and hexadecimal floats, with blanks around them and a type suffix, or undefined. */
export function parseJavaDouble(text: string): number | undefined {
  const match = javaDouble.exec(text);
  if (match === null) return undefined;
  const [, sign, nan, infinity, decimal, hexWhole, hexFraction, exponent] = match;
  const factor = sign === '-' ? -1 : 1;
  if (nan !== undefined) return Number.NaN;
  if (infinity !== undefined) return factor * Number.POSITIVE_INFINITY;
  if (decimal !== undefined) return factor * Number(decimal);
  const whole = hexWhole ?? '';
  const fraction = hexFraction ?? '';
  if (whole === '' && fraction === '') return undefined;
  return factor * hexToDouble(whole + fraction, Number(exponent) - 4 * fraction.length);
}

/** Sixteen significant digits are enough: what a mantissa has beyond 64 bits cannot make a float integral again. */
function hexToDouble(digits: string, exponent: number): number {
  const significant = digits.replace(/^0+/, '');
  const kept = significant.slice(0, 16);
  return Number.parseInt(kept === '' ? '0' : kept, 16) * 2 ** (exponent + 4 * (significant.length - kept.length));
}

function toAsciiDigits(text: string): string {
  let ascii = '';
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x80) {
      ascii += character;
      continue;
    }
    // Every script's ten digits lie side by side, zero first.
    let digit = 0;
    while (digit < 9 && decimalDigit.test(String.fromCodePoint(code - digit - 1))) digit++;
    ascii += String(digit);
  }
  return ascii;
}
