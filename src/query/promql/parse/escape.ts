/** Escapes within quoted strings, and what Prometheus's lexer says of wrong ones (promql/parser/lex.go, `lexEscape`). */

/** How many digits of which base follow the letter of an escape, and the largest number that they may make. */
const numeric: Readonly<Record<string, readonly [digits: number, base: number, most: number]>> = {
  x: [2, 16, 255],
  u: [4, 16, 0x10_ff_ff],
  U: [8, 16, 0x10_ff_ff],
};

/** A character as Go's %#U shows it. */
function showPoint(character: string): string {
  const point = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
  return `U+${point}${/^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u.test(character) ? ` '${character}'` : ''}`;
}

const characterAt = (text: string, at: number): string => {
  const point = text.codePointAt(at);
  return point === undefined ? '' : String.fromCodePoint(point);
};

/** Reads what follows a backslash at `at`: where it ends, or what is wrong with it. `open` is the quote of the string. */
export function escapeEnd(text: string, at: number, open: string): number | string {
  const letter = characterAt(text, at);
  if (letter === '') return 'escape sequence not terminated';
  if ('abfnrtv\\'.includes(letter) || letter === open) return at + 1;
  const isOctal = letter >= '0' && letter <= '7';
  const [count, base, most] = isOctal ? [3, 8, 255] : (numeric[letter] ?? [0, 0, 0]);
  if (count === 0) return `unknown escape sequence ${showPoint(letter)}`;
  let value = 0;
  let next = isOctal ? at : at + 1;
  for (let i = 0; i < count; i++) {
    const digit = characterAt(text, next);
    if (digit === '') return 'escape sequence not terminated';
    const read = /^[0-9a-fA-F]$/.test(digit) ? Number.parseInt(digit, 16) : base;
    if (read >= base) return `illegal character ${showPoint(digit)} in escape sequence`;
    value = value * base + read;
    next++;
  }
  const isPoint = value <= most && (value < 0xd800 || value >= 0xe000);
  return isPoint ? next : 'escape sequence is an invalid Unicode code point';
}
