/**
 * Which series a line is of, by the page before: pages keep their order, so that a known line mostly costs one comparison of bytes with the
 * line that is expected next. Only where lines come, go or move, are they looked up by their text. Hot: bench/experiments/parse-exposition.ts.
 */
import type { PageCursor } from './page-cursor.ts';
import { endsSeries, findSeriesEnd, type NumberLabel } from './series-part.ts';

/** A series as it is remembered. */
export interface KnownSeries {
  /** The length of its text in bytes. */
  readonly length: number;
  readonly numberLabel: NumberLabel;
  readonly name: string;
  /** Where it stood in the last whole page; -1 before its first. */
  position: number;
}

/** What the caller makes of series once their page is known to be whole. */
export interface Remembering<T> {
  /** Whether `isOutdated` can be true at all. */
  readonly mayBeOutdated: boolean;
  /** Whether what was made of it in an earlier page no longer holds. */
  isOutdated(series: KnownSeries): boolean;
  make(series: KnownSeries, start: number): T;
}

/** Reads the series of one page. */
export interface SeriesReader<T> {
  /** Goes behind the series at the cursor where it is known, and says so. */
  find(page: PageCursor, numberLabel: NumberLabel): boolean;
  /** Takes a series that `find` did not know; it began at `start`. */
  add(page: PageCursor, start: number, series: KnownSeries): void;
  /** How many lines have been read. */
  readonly length: number;
  /** The series of the last one. */
  readonly last: KnownSeries | undefined;
  /** The page is whole: what it holds is what is known from here on. */
  finish(page: PageCursor, remembering: Remembering<T>): { readonly series: readonly T[]; readonly isSame: boolean };
}

export interface SeriesMemory<T> {
  open(): SeriesReader<T>;
  clear(): void;
  readonly size: number;
}

/** How many lines may be gone before a line is looked up instead. */
const skippedLines = 4;
/** An index by text that was not needed for so many pages is let go: it is as large as the page. */
const idlePages = 16;
const indexSlack = 1024;

const textOf = (bytes: Buffer, start: number, { length }: { readonly length: number }) =>
  bytes.toString('latin1', start, start + length);

/** Makes the memory of one target. It keeps the bytes of the last page. */
export function createSeriesMemory<T>(): SeriesMemory<T> {
  let order: readonly KnownSeries[] = [];
  let remembered: readonly T[] = [];
  let starts = new Int32Array(256);
  let nextStarts = new Int32Array(256);
  let knownPage: Buffer = Buffer.alloc(0);
  let index: Map<string, KnownSeries> | undefined;
  let indexIdlePages = 0;

  const openIndex = (): Map<string, KnownSeries> => {
    indexIdlePages = 0;
    if (index !== undefined) return index;
    index = new Map();
    for (const [i, series] of order.entries()) index.set(textOf(knownPage, starts[i] ?? 0, series), series);
    return index;
  };

  const matches = (page: PageCursor, i: number, numberLabel: NumberLabel): boolean => {
    const series = order[i];
    if (series === undefined || series.numberLabel !== numberLabel) return false;
    const start = starts[i] ?? 0;
    const end = page.at + series.length;
    return (
      end < page.bytes.length &&
      knownPage.compare(page.bytes, page.at, end, start, start + series.length) === 0 &&
      endsSeries(page, end)
    );
  };

  /** What stands for each of the series, made anew where it must be; and whether any was. */
  const rememberAll = (next: readonly KnownSeries[], { isOutdated, mayBeOutdated, make }: Remembering<T>) => {
    const made = new Map<KnownSeries, T>();
    const values = next.map((series, i) => {
      let value = made.get(series);
      if (value === undefined) {
        value = remembered[series.position];
        if (value !== undefined && !(mayBeOutdated && isOutdated(series))) return value;
        value = make(series, nextStarts[i] ?? 0);
        made.set(series, value);
      }
      return value;
    });
    return { values, isAnyNew: made.size > 0 };
  };

  const open = (): SeriesReader<T> => {
    // Series that went, and those of pages that were refused halfway, are still in it.
    if ((index?.size ?? 0) > 2 * order.length + indexSlack) index = undefined;
    /** Which line of the page before is expected next. */
    let expected = 0;
    let length = 0;
    /** Undefined while the page is as the one before. */
    let changed: KnownSeries[] | undefined;
    const added = new Set<KnownSeries>();
    let last: KnownSeries | undefined;

    const push = (start: number, series: KnownSeries) => {
      if (length === nextStarts.length) {
        const grown = new Int32Array(2 * length);
        grown.set(nextStarts);
        nextStarts = grown;
      }
      nextStarts[length] = start;
      length++;
      last = series;
      changed?.push(series);
    };
    const take = (page: PageCursor, series: KnownSeries, i: number) => {
      if (changed === undefined && i !== length) changed = order.slice(0, length);
      push(page.at, series);
      page.at += series.length;
      expected = i + 1;
    };
    const lookUp = (page: PageCursor, numberLabel: NumberLabel): boolean => {
      if (order.length === 0) return false;
      const end = findSeriesEnd(page, page.at);
      if (end <= page.at) return false;
      const series = openIndex().get(textOf(page.bytes, page.at, { length: end - page.at }));
      if (series === undefined || series.numberLabel !== numberLabel) return false;
      if (order[series.position] === series) take(page, series, series.position);
      else if (added.has(series)) take(page, series, expected - 1);
      else return false;
      return true;
    };

    return {
      get length() {
        return length;
      },
      get last() {
        return last;
      },
      find(page, numberLabel) {
        for (let i = expected; i <= expected + skippedLines; i++) {
          const series = order[i];
          if (series === undefined) break;
          if (!matches(page, i, numberLabel)) continue;
          take(page, series, i);
          return true;
        }
        return lookUp(page, numberLabel);
      },
      add(page, start, series) {
        changed ??= order.slice(0, length);
        push(start, series);
        added.add(series);
        index?.set(textOf(page.bytes, start, series), series);
      },
      finish(page, remembering) {
        if (changed === undefined && length < order.length) changed = order.slice(0, length);
        let isSame = changed === undefined;
        if (!isSame || remembering.mayBeOutdated) {
          const next = changed ?? order;
          const { values, isAnyNew } = rememberAll(next, remembering);
          remembered = values;
          // The same text may mean another series, or none, below another TYPE line.
          if (isAnyNew) isSame = false;
          for (const [i, series] of next.entries()) series.position = i;
          order = next;
        }
        [starts, nextStarts] = [nextStarts, starts];
        knownPage = page.bytes;
        indexIdlePages++;
        if (indexIdlePages > idlePages) index = undefined;
        return { series: remembered, isSame };
      },
    };
  };

  return {
    open,
    get size() {
      return order.length;
    },
    clear() {
      order = [];
      remembered = [];
      index = undefined;
      knownPage = Buffer.alloc(0);
    },
  };
}
