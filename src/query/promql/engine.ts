/** A query from its text to its value: parse, plan, read, evaluate. */
import type { Label } from '../../model/sample.ts';
import { startSlices } from '../../model/turns.ts';
import type { GridAnswer, GridSelection } from '../../store/readers/grids.ts';
import type { SampleSelection, SeriesPoints } from '../../store/readers/samples.ts';
import { untilEnded } from '../failure.ts';
import { createAnnotations } from './annotations.ts';
import { type Expression, typeNames, type VectorSelector } from './ast.ts';
import { PromqlError } from './error.ts';
import { createMeter, type Evaluation, type Meter, type Steps } from './evaluate/evaluation.ts';
import { evaluate } from './evaluate/expression.ts';
import { finishNames } from './evaluate/finish-names.ts';
import { resolveDurations } from './formula.ts';
import { listOf } from './label-lists.ts';
import { marked } from './name-mark.ts';
import type { Query } from './parse/parse.ts';
import { type PlannedRead, planReads } from './plan.ts';
import { findPushable, finishRows, type Pushable } from './pushdown.ts';
import { type Grid, type GridSeries, isInstant, type Value, withoutName } from './value.ts';

/** Where samples come from: the store's reader bound to a client, or arrays in a test. */
export interface SampleSource {
  /** The samples where they are in memory, in the order of labels; undefined where the store must be asked. */
  recent?(selection: SampleSelection): readonly SeriesPoints[] | undefined;
  select(selection: SampleSelection, signal: AbortSignal, isLarge?: boolean): Promise<readonly SeriesPoints[]>;
  /** Computes a part of the query where the samples are; undefined where it had better not. A source without it leaves all to the evaluator. */
  grid?(selection: GridSelection, options: GridOptions): Promise<GridAnswer | undefined>;
  /** How many rows a selection makes the store go through, about. */
  estimate?(selection: SampleSelection, signal: AbortSignal): Promise<number>;
}

export interface GridOptions {
  readonly signal: AbortSignal;
  /** Whether others go first in the store. */
  readonly isLarge?: boolean;
  readonly maxPoints: number;
}

export interface EngineOptions {
  readonly source: SampleSource;
  readonly signal: AbortSignal;
  readonly lookbackMs: number;
  /** How many points all values that are computed may have together, as a bound on memory. */
  readonly maxPoints: number;
  /** The step of subqueries that have none; a minute unless given. */
  readonly defaultStepMs?: number;
  /** Whether metrics' names are taken off when the query is done, as `[query] delayed_name_removal` says. */
  readonly delaysNameRemoval?: boolean;
  /** Told, after each slice of the evaluation, how long all of them took; what it waits for is waited for. */
  readonly onSlice?: (usedMs: number) => Promise<void> | undefined;
  /** Told of each part that is done, for those who want to know how a query is answered. */
  readonly onPart?: (part: QueryPart) => void;
}

/** What was done for one part of a query, and how long that took. */
export type QueryPart =
  | { readonly kind: 'pushed'; readonly pushable: Pushable; readonly answer: GridAnswer; readonly tookMs: number }
  | {
      readonly kind: 'read';
      /** Whether the store was not asked, since memory had the samples. */
      readonly isRecent: boolean;
      readonly read: PlannedRead;
      readonly series: readonly SeriesPoints[];
      readonly tookMs: number;
    }
  | { readonly kind: 'evaluated'; readonly tookMs: number };

export interface QueryAnswer {
  readonly value: Value;
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
}

/** Drives an evaluation to its end, a slice of it a turn, and stops it when its signal does. */
export async function drive<T>(
  steps: Steps<T>,
  { signal, onSlice }: Pick<EngineOptions, 'signal' | 'onSlice'>,
): Promise<T> {
  const slices = startSlices(signal);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    if (!slices.isOver()) continue;
    const waits = onSlice?.(slices.usedMs());
    if (waits !== undefined) await untilEnded(signal, waits);
    await untilEnded(signal, slices.next());
  }
}

type Labeled = { readonly labels: readonly Label[] };

/** Series by their labels, which is the order that most of them have already. */
function* sorted<Series extends Labeled>(series: readonly Series[], meter: Meter): Steps<readonly Series[]> {
  const list = listOf(series);
  if (yield* list.ascends(meter)) return series;
  const order = yield* list.order(meter);
  return order.flatMap((place) => series[place] ?? []);
}

/** The answer's order: by labels, unless it is the query's own. */
function* inOrder(value: Value, isInstant: boolean, meter: Meter): Steps<Value> {
  if (value.kind === 'matrix') return { kind: 'matrix', series: yield* sorted(value.series, meter) };
  if (value.kind !== 'vector' || (isInstant && value.isOrdered === true)) return value;
  return { kind: 'vector', series: yield* sorted(value.series, meter) };
}

function* evaluateInOrder(expression: Expression, evaluation: Evaluation): Steps<Value> {
  const value = yield* evaluate(expression, evaluation);
  const named = evaluation.nameless === marked ? yield* finishNames(value, evaluation.meter) : value;
  return yield* inOrder(named, isInstant(evaluation.grid), evaluation.meter);
}

/** What was read and computed before anything is evaluated. */
interface Fetched {
  readonly samples: Map<VectorSelector, readonly SeriesPoints[]>;
  readonly pushed: Map<Expression, readonly GridSeries[]>;
}

/** Takes what is in memory already. */
function takeRecent(query: Query, grid: Grid, options: EngineOptions): Fetched {
  const { source, lookbackMs, onPart } = options;
  const fetched: Fetched = { samples: new Map(), pushed: new Map() };
  if (source.recent === undefined) return fetched;
  for (const read of planReads(query.expression, { grid, lookbackMs })) {
    const startedMs = performance.now();
    const series = source.recent(read.selection);
    if (series === undefined) continue;
    for (const selector of read.selectors) fetched.samples.set(selector, series);
    onPart?.({ kind: 'read', isRecent: true, read, series, tookMs: performance.now() - startedMs });
  }
  return fetched;
}

/** Has the store compute what it can of the rest. */
async function pushDown(query: Query, grid: Grid, options: EngineOptions): Promise<Fetched> {
  const { source, signal, lookbackMs, maxPoints, onPart } = options;
  const fetched = takeRecent(query, grid, options);
  if (source.grid === undefined) return fetched;
  for (const pushable of findPushable(query.expression, { grid, lookbackMs })) {
    if (fetched.samples.has(pushable.selector)) continue;
    const startedMs = performance.now();
    const answer = await untilEnded(signal, source.grid(pushable.selection, { signal, maxPoints }));
    if (answer === undefined) continue;
    fetched.samples.set(pushable.selector, answer.unusual);
    fetched.pushed.set(pushable.node, finishRows(pushable.function, answer.rows));
    onPart?.({ kind: 'pushed', pushable, answer, tookMs: performance.now() - startedMs });
  }
  return fetched;
}

async function run(given: Query, grid: Grid, options: EngineOptions): Promise<QueryAnswer> {
  const query = { ...given, expression: resolveDurations(given.text, given.expression, grid) };
  const { source, signal, lookbackMs, maxPoints, defaultStepMs = 60_000, delaysNameRemoval = false, onPart } = options;
  const { samples, pushed } = await pushDown(query, grid, options);
  const known = new Set(samples.keys());
  for (const read of planReads(query.expression, { grid, lookbackMs, known })) {
    const startedMs = performance.now();
    const series = await untilEnded(signal, source.select(read.selection, signal));
    for (const selector of read.selectors) samples.set(selector, series);
    onPart?.({ kind: 'read', isRecent: false, read, series, tookMs: performance.now() - startedMs });
  }
  const annotations = createAnnotations(query.text);
  const evaluation = {
    grid,
    whole: grid,
    lookbackMs,
    defaultStepMs,
    samples,
    pushed,
    annotations,
    meter: createMeter(maxPoints),
    evaluate,
    nameless: delaysNameRemoval ? marked : withoutName,
  };
  const startedMs = performance.now();
  const value = await drive(evaluateInOrder(query.expression, evaluation), options);
  onPart?.({ kind: 'evaluated', tookMs: performance.now() - startedMs });
  return { value, warnings: annotations.warnings(), infos: annotations.infos() };
}

/** Evaluates at one time. */
export function instantQuery(query: Query, timeMs: number, options: EngineOptions): Promise<QueryAnswer> {
  return run(query, { startMs: timeMs, stepMs: 0, count: 1 }, options);
}

/** Evaluates at each point of the grid; only scalars and instant vectors can be. */
export async function rangeQuery(query: Query, grid: Grid, options: EngineOptions): Promise<QueryAnswer> {
  if (query.type === 'matrix' || query.type === 'string') {
    throw new PromqlError(
      'parse',
      `invalid expression type "${typeNames[query.type]}" for range query, must be Scalar or instant Vector`,
    );
  }
  return run(query, grid, options);
}
