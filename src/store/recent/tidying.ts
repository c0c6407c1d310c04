/** Forgets what no selection needs any more, a little at a time: going through fifty thousand series and all that take them held everything up for half a second. */
import type { HeldSeries } from './held-series.ts';
import type { RecentSelection } from './selection.ts';
import type { SelectionIndex } from './selection-index.ts';
import type { SeriesBuffer } from './series-buffer.ts';
import type { TimeColumn } from './time-column.ts';

export interface Tidying {
  readonly index: SelectionIndex;
  readonly held: HeldSeries;
  /** A number that no round had before. */
  readonly round: number;
  /** So many series or columns are gone through in a step. */
  readonly sliceSeries: number;
}

/** What a series takes in the list of a selection. */
export const placeBytes = 8;

/** A series is needed by a selection, as far as this round is concerned. */
export function need(buffer: SeriesBuffer, fromMs: number, round: number): void {
  buffer.neededFromMs = buffer.round === round ? Math.min(buffer.neededFromMs, fromMs) : fromMs;
  buffer.round = round;
}

/** Whoever comes to take a series while a round goes on says that it needs it. */
export function* tidy({ index, held, round, sliceSeries }: Tidying): Generator<undefined, void, undefined> {
  for (const selection of [...index.all()]) {
    if (index.has(selection)) for (const buffer of selection.series) need(buffer, selection.fromMs, round);
    yield;
  }
  let hasEnded = false;
  for (const [i, buffer] of held.all().entries()) {
    if (i % sliceSeries === 0) yield;
    if (buffer.isGone || buffer.round !== round) continue;
    buffer.forgetUntil(buffer.neededFromMs);
    if (buffer.newestMs > buffer.neededFromMs) continue;
    held.remove(buffer);
    hasEnded = true;
  }
  for (const [i, column] of columnsOf(held, round).entries()) {
    column.forget();
    if (i % sliceSeries === 0) yield;
  }
  held.columns.restart();
  if (!hasEnded) return;
  for (const selection of [...index.all()]) {
    leaveEnded(selection, held);
    yield;
  }
}

/** All columns, which know then from where on they are needed. */
function columnsOf(held: HeldSeries, round: number): readonly TimeColumn[] {
  const columns: TimeColumn[] = [];
  for (const { column, start } of held.all()) {
    if (column?.need(start, round) === true) columns.push(column);
  }
  return columns;
}

/** A series that was let go has no samples, and is taken off the lists at leisure. */
function leaveEnded(selection: RecentSelection, { columns }: HeldSeries): void {
  const before = selection.series.length;
  selection.series = selection.series.filter(({ isGone }) => !isGone);
  columns.memory.bytes -= (before - selection.series.length) * placeBytes;
}
