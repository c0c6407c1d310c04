/** What every part of the evaluator is handed: the grid, the samples, and the bounds. */
import type { Label } from '../../../model/sample.ts';
import type { SeriesPoints } from '../../../store/readers/samples.ts';
import type { Annotations } from '../annotations.ts';
import type { Expression, Moved, VectorSelector } from '../ast.ts';
import { PromqlError } from '../error.ts';
import { listOf } from '../label-lists.ts';
import { type Grid, type GridSeries, givenEndOf, labelKey, type Value, type VectorValue } from '../value.ts';

/**
 * Evaluation is a generator, so that it stays a function of its inputs and whoever drives it can give others their turn: it yields whenever about
 * a millisecond's work was done.
 */
export type Steps<T> = Generator<undefined, T, undefined>;

/** Room for the points of one series. */
export interface Cells {
  readonly values: Float64Array;
  readonly isPresent: Uint8Array;
}

/** Counts work and memory. */
export interface Meter {
  /** Adds so many units of work, about a nanosecond each; true when it is time to yield. */
  readonly spend: (units: number) => boolean;
  /** Claims memory for so many points; throws when the query has more of them at once than it may. */
  readonly claim: (points: number) => void;
  /** How many points are claimed. */
  readonly claimed: () => number;
  /** Says that so many are, after values that nobody needs any more were let go. */
  readonly settle: (points: number) => void;
  /** Room for so many values, all 0. */
  readonly values: (count: number) => Float64Array;
  /** Room for what says which of so many are there, all 0. */
  readonly presence: (count: number) => Uint8Array;
  /** What says that all of so many are there: one array for many series, which nobody writes to. */
  readonly allPresent: (count: number) => Uint8Array;
}

export interface Evaluation {
  readonly grid: Grid;
  /** The grid of the whole query, which `start()` and `end()` speak of. */
  readonly whole: Grid;
  /** How far back an instant selector looks for a sample. */
  readonly lookbackMs: number;
  /** The step of subqueries that have none. */
  readonly defaultStepMs: number;
  /** The samples of each selector of the expression; they may reach beyond what this selector looks at. */
  readonly samples: ReadonlyMap<VectorSelector, readonly SeriesPoints[]>;
  /** What was computed elsewhere for a selector or a function's call, the metrics' names still among the labels; its samples are those that are left. */
  readonly pushed: ReadonlyMap<Expression, readonly GridSeries[]>;
  readonly annotations: Annotations;
  readonly meter: Meter;
  /** The labels of what was derived of a series: without its metric's name, or marked to lose it in the end. */
  readonly nameless: (labels: readonly Label[]) => readonly Label[];
  /** Evaluates a part of an expression; handed down so that the families of functions do not import each other in a circle. */
  readonly evaluate: (expression: Expression, evaluation: Evaluation) => Steps<Value>;
}

const unitsBetweenYields = 1_000_000;

export const tooManySamples = (): PromqlError =>
  new PromqlError('execution', 'query processing would load too many samples into memory in query execution');

/** Bytes of the pieces that cells are cut from: a view of a piece is made in a quarter of the time of an array of its own. */
const pieceBytes = 131_072;

/** Gives views of larger pieces of memory, each used once. */
function createPieces(): (bytes: number) => { readonly buffer: ArrayBuffer; readonly at: number } {
  let buffer = new ArrayBuffer(0);
  let used = 0;
  return (bytes) => {
    const rounded = Math.ceil(bytes / 8) * 8;
    if (used + rounded > buffer.byteLength) {
      buffer = new ArrayBuffer(Math.max(pieceBytes, rounded));
      used = 0;
    }
    used += rounded;
    return { buffer, at: used - rounded };
  };
}

export function createMeter(maxPoints: number): Meter {
  let spent = 0;
  let claimed = 0;
  let full = new Uint8Array(0);
  const next = createPieces();
  return {
    values(count) {
      const { buffer, at } = next(8 * count);
      return new Float64Array(buffer, at, count);
    },
    presence(count) {
      const { buffer, at } = next(count);
      return new Uint8Array(buffer, at, count);
    },
    allPresent(count) {
      if (full.length !== count) full = new Uint8Array(count).fill(1);
      return full;
    },
    spend(units) {
      spent += units;
      if (spent < unitsBetweenYields) return false;
      spent = 0;
      return true;
    },
    claim(points) {
      claimed += points;
      if (claimed > maxPoints) throw tooManySamples();
    },
    claimed: () => claimed,
    settle(points) {
      claimed = points;
    },
  };
}

export const executionError = (message: string): PromqlError => new PromqlError('execution', message);

/** The times that a selector or subquery looks at, one for each point of the grid: the first, and how far the next is. */
export function timesOf(moved: Moved, evaluation: Evaluation): { readonly firstMs: number; readonly stepMs: number } {
  const { grid, whole } = evaluation;
  switch (moved.at?.kind) {
    case 'time':
      return { firstMs: moved.at.timeMs - moved.offsetMs, stepMs: 0 };
    case 'start':
      return { firstMs: whole.startMs - moved.offsetMs, stepMs: 0 };
    case 'end':
      return { firstMs: givenEndOf(whole) - moved.offsetMs, stepMs: 0 };
    default:
      return { firstMs: grid.startMs - moved.offsetMs, stepMs: grid.stepMs };
  }
}

export function* evaluateVector(expression: Expression, evaluation: Evaluation): Steps<VectorValue> {
  const value = yield* evaluation.evaluate(expression, evaluation);
  if (value.kind !== 'vector') throw new Error(`a vector was checked for and a ${value.kind} was evaluated`);
  return value;
}

export function* evaluateScalar(expression: Expression, evaluation: Evaluation): Steps<Float64Array> {
  const value = yield* evaluation.evaluate(expression, evaluation);
  if (value.kind !== 'scalar') throw new Error(`a scalar was checked for and a ${value.kind} was evaluated`);
  return value.values;
}

export function* evaluateString(expression: Expression, evaluation: Evaluation): Steps<string> {
  const value = yield* evaluation.evaluate(expression, evaluation);
  if (value.kind !== 'string') throw new Error(`a string was checked for and a ${value.kind} was evaluated`);
  return value.text;
}

/** Room for one series of a result. */
export function newSeries(labels: GridSeries['labels'], { grid, meter }: Evaluation): GridSeries {
  meter.claim(grid.count);
  return { labels, values: meter.values(grid.count), isPresent: meter.presence(grid.count) };
}

/** Makes the series of a result one after the other: points are written to `cells`, and what was written becomes a series. */
export interface Rows {
  /** Where the next series is written: all of `isPresent` is 0. */
  readonly cells: () => Cells;
  /** The series of what was written, `present` points of it; undefined where that is none. */
  readonly finish: (labels: GridSeries['labels'], present: number) => GridSeries | undefined;
}

/** Most series have a value at every point, and share what says so: half of the arrays, and half of the time it takes to make them. */
export function createRows({ grid, meter }: Evaluation): Rows {
  const { count } = grid;
  let isPresent = new Uint8Array(0);
  let cells: Cells | undefined;
  return {
    cells() {
      if (cells !== undefined) return cells;
      meter.claim(count);
      if (isPresent.length !== count) isPresent = new Uint8Array(count);
      cells = { values: meter.values(count), isPresent };
      return cells;
    },
    finish(labels, present) {
      if (cells === undefined || present === 0) return undefined;
      const { values } = cells;
      cells = undefined;
      if (present === count) {
        isPresent.fill(0);
        return { labels, values, isPresent: meter.allPresent(count) };
      }
      const own = meter.presence(count);
      own.set(isPresent);
      isPresent.fill(0);
      return { labels, values, isPresent: own };
    },
  };
}

export const hasAny = ({ isPresent }: GridSeries): boolean => isPresent.includes(1);

export const sameLabelset = 'vector cannot contain metrics with the same labelset';

/** Whether dropping the metric's name leaves all label sets apart because there was one name only. */
export const haveOneName = (
  series: readonly { readonly labels: GridSeries['labels'] }[],
  meter: Meter,
): Steps<boolean> => listOf(series).hasOneName(meter);

/** Refuses two series of one label set. */
export function* checkUnique<Series extends { readonly labels: GridSeries['labels'] }>(
  series: readonly Series[],
  meter: Meter,
): Steps<readonly Series[]> {
  if (yield* listOf(series).isUnique(meter)) return series;
  throw executionError(sameLabelset);
}

/** Makes one series of those with one label set; they may not have a value at one point both. */
export function* mergeEqual(
  series: readonly GridSeries[],
  meter: Meter,
  messageFor: (a: GridSeries, b: GridSeries) => string = () => sameLabelset,
): Steps<readonly GridSeries[]> {
  if (yield* listOf(series).isUnique(meter)) return series;
  const byKey = new Map<string, GridSeries>();
  for (const one of series) {
    const key = labelKey(one.labels);
    const known = byKey.get(key);
    if (meter.spend(2000 + (known === undefined ? 0 : one.values.length))) yield;
    if (known === undefined) {
      byKey.set(key, one);
      continue;
    }
    const values = Float64Array.from(known.values);
    const isPresent = Uint8Array.from(known.isPresent);
    for (let i = 0; i < values.length; i++) {
      if (one.isPresent[i] !== 1) continue;
      if (isPresent[i] === 1) throw executionError(messageFor(known, one));
      values[i] = one.values[i] ?? Number.NaN;
      isPresent[i] = 1;
    }
    byKey.set(key, { labels: known.labels, values, isPresent });
  }
  return byKey.size === series.length ? series : [...byKey.values()];
}

/** Computes each series of a vector by itself, without its metric's name. */
export function* mapValues(
  { series, isOrdered = false }: VectorValue,
  evaluation: Evaluation,
  compute: (from: GridSeries, into: GridSeries) => void,
): Steps<VectorValue> {
  const found: GridSeries[] = [];
  for (const from of series) {
    const into = newSeries(evaluation.nameless(from.labels), evaluation);
    compute(from, into);
    if (hasAny(into)) found.push(into);
    if (evaluation.meter.spend(500 + 5 * into.values.length)) yield;
  }
  if (yield* haveOneName(series, evaluation.meter)) return { kind: 'vector', series: found, isOrdered };
  return { kind: 'vector', series: yield* mergeEqual(found, evaluation.meter), isOrdered };
}
