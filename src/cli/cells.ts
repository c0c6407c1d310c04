/** Texts in a terminal's cells: how many they take, cut and padded to a width, with nothing in them that a terminal would obey. */
import { plain } from './plain-text.ts';

/** Marks that no cell shows: a text could hide behind them. Joiners of emoji are among them, which then stand apart. */
const invisible = /\u034f|\u17b4|\u17b5|[\p{Cf}\p{Cs}\p{Co}\p{Cn}\u115f\u1160\u3164\uffa0]/gu;
const combining = /\p{Mn}|\p{Me}/u;
const wide =
  /[\u1100-\u115f\u231a\u231b\u2329\u232a\u23e9-\u23ec\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{16fe0}-\u{18cff}\u{1b000}-\u{1b2ff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u;
const ascii = /^[ -~]*$/;
/** More marks on one letter are drawn over the lines above and below. */
const marksPerLetter = 2;
/** Of a longer text nothing can be seen that this much does not tell. */
const longestText = 4_096;

/** A stranger's text as one line that shows all there is in it; each character that a terminal would obey or hide is a `�`. */
export function harmless(text: string): string {
  if (ascii.test(text)) return text;
  const cut = text.length > longestText ? text.slice(0, longestText) : text;
  return limitMarks(plain(cut).replace(invisible, '\ufffd'));
}

function limitMarks(text: string): string {
  let marks = marksPerLetter;
  let kept = '';
  for (const character of text) {
    marks = combining.test(character) ? marks + 1 : 0;
    if (marks <= marksPerLetter) kept += character;
  }
  return kept;
}

function cellsOf(character: string): number {
  if (character < '\u0300') return 1;
  return combining.test(character) ? 0 : wide.test(character) ? 2 : 1;
}

/** How many cells a harmless text takes. */
export function widthOf(text: string): number {
  if (ascii.test(text)) return text.length;
  let width = 0;
  for (const character of text) width += cellsOf(character);
  return width;
}

/** A harmless text in at most `width` cells; where it is cut, `ellipsis` stands at its end. */
export function cutTo(text: string, width: number, ellipsis: string): string {
  if (widthOf(text) <= width) return text;
  const room = width - ellipsis.length;
  if (room < 0) return '';
  let kept = '';
  let used = 0;
  for (const character of text) {
    const cells = cellsOf(character);
    if (used + cells > room) break;
    kept += character;
    used += cells;
  }
  return kept + ellipsis;
}

/** A harmless text in exactly `width` cells. */
export function fitTo(text: string, width: number, ellipsis: string): string {
  const cut = cutTo(text, width, ellipsis);
  return cut + ' '.repeat(Math.max(0, width - widthOf(cut)));
}
