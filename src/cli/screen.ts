/** What can be drawn where a command writes to: how wide it is, which characters it has, and whether it has colours. */

import { harmless } from './cells.ts';
import type { Terminal } from './command.ts';

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'blue' | 'magenta' | 'cyan';

const codes: Readonly<Record<Style, string>> = {
  bold: '1',
  dim: '2',
  red: '31',
  green: '32',
  yellow: '33',
  blue: '34',
  magenta: '35',
  cyan: '36',
};

export interface Screen {
  readonly width: number;
  readonly isUnicode: boolean;
  /** What ends a text that was cut. */
  readonly ellipsis: string;
  /** Colours a text of ours, or one that is harmless already; gives it back as it is where there are no colours. */
  paint(text: string, ...styles: readonly Style[]): string;
  /** A stranger's text as this screen can show it. */
  show(text: string): string;
  /** A text of ours without characters that the screen lacks. */
  own(text: string): string;
}

/** Where nobody looks on, and where the terminal does not say. */
export const usualWidth = 80;
const narrowest = 40;

/** The screen behind a terminal; `width` is what the person asked for. */
export function screenOf(terminal: Terminal, width?: number): Screen {
  const { environment, isTty = false, columns } = terminal;
  const isUnicode = hasUnicode(environment);
  const hasColours = isTty && (environment['NO_COLOR'] ?? '') === '' && environment['TERM'] !== 'dumb';
  const own = (text: string) =>
    isUnicode ? text : text.replaceAll('µ', 'u').replaceAll('…', '...').replaceAll(' · ', ', ').replaceAll('→', '->');
  return {
    width: Math.max(narrowest, width ?? (isTty ? columns : undefined) ?? usualWidth),
    isUnicode,
    ellipsis: isUnicode ? '…' : '..',
    paint: (text, ...styles) =>
      hasColours && styles.length > 0 && text !== ''
        ? `\u001b[${styles.map((style) => codes[style]).join(';')}m${text}\u001b[0m`
        : text,
    show: (text) => {
      const shown = harmless(text);
      return isUnicode ? shown : shown.replace(/[^ -~]/gu, '?');
    },
    own,
  };
}

/** As POSIX orders them: the first that is set decides. */
function hasUnicode(environment: Terminal['environment']): boolean {
  const locale = environment['LC_ALL'] || environment['LC_CTYPE'] || environment['LANG'] || '';
  return /utf-?8/i.test(locale);
}
