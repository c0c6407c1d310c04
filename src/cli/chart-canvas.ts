/** A field of cells to draw lines on: in braille, where a cell has 2 by 4 dots, or with one dot to a cell. */

export interface Dot {
  readonly x: number;
  readonly y: number;
}

/** What a cell shows: a mark that was set on it, or which of its dots are drawn (0: none). */
export interface Cell {
  readonly mark: string | undefined;
  readonly dots: number;
  /** Which line it belongs to; where several meet, the first that was drawn. */
  readonly ink: number | undefined;
}

export interface Canvas {
  readonly dotsAcross: number;
  readonly dotsDown: number;
  /** A straight line with both its ends, which may lie outside. */
  line(from: Dot, to: Dot, ink: number): void;
  /** Shows `text` in the cell instead of dots; false where another mark stands already. */
  mark(column: number, row: number, text: string, ink: number): boolean;
  cell(column: number, row: number): Cell;
}

export const dotsOfBraille = { across: 2, down: 4 } as const;
const brailleBlank = 0x2800;
/** By column and row within the cell (Unicode, chapter 21.1). */
const brailleDots = [
  [0x01, 0x02, 0x04, 0x40],
  [0x08, 0x10, 0x20, 0x80],
] as const;

/** The braille character with these dots. */
export const brailleOf = (dots: number): string => String.fromCharCode(brailleBlank + dots);

/** An empty canvas; each cell is divided into `across` by `down` dots, 2 by 4 at most. */
export function createCanvas(
  columns: number,
  rows: number,
  { across, down }: { readonly across: number; readonly down: number },
): Canvas {
  const dots = new Uint8Array(columns * rows);
  const inks = new Int32Array(columns * rows).fill(-1);
  const marks = new Map<number, string>();
  const dotsAcross = columns * across;
  const dotsDown = rows * down;

  const set = (x: number, y: number, ink: number): void => {
    if (x < 0 || y < 0 || x >= dotsAcross || y >= dotsDown) return;
    const at = Math.floor(y / down) * columns + Math.floor(x / across);
    dots[at] = (dots[at] ?? 0) | (brailleDots[x % across]?.[y % down] ?? 0);
    if (inks[at] === -1) inks[at] = ink;
  };

  return {
    dotsAcross,
    dotsDown,
    line(from, to, ink) {
      const steps = Math.max(Math.abs(to.x - from.x), Math.abs(to.y - from.y), 1);
      for (let i = 0; i <= steps; i++) {
        const share = i / steps;
        set(Math.round(from.x + (to.x - from.x) * share), Math.round(from.y + (to.y - from.y) * share), ink);
      }
    },
    mark(column, row, text, ink) {
      const at = row * columns + column;
      if (column < 0 || row < 0 || column >= columns || row >= rows || marks.has(at)) return false;
      marks.set(at, text);
      inks[at] = ink;
      return true;
    },
    cell(column, row) {
      const at = row * columns + column;
      const ink = inks[at] ?? -1;
      return { mark: marks.get(at), dots: dots[at] ?? 0, ink: ink < 0 ? undefined : ink };
    },
  };
}
