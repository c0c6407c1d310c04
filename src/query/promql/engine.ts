/** A query from its text to its value: parse, plan, read, evaluate. */
import { setImmediate as turn } from 'node:timers/promises';
import type { Label } from '../../model/sample.ts';
import type { SampleSelection, SeriesPoints } from '../../store/readers/samples.ts';
import { untilEnded } from '../failure.ts';
import { createAnnotations } from './annotations.ts';
import { typeNames, type VectorSelector } from './ast.ts';
import { compareLabels } from './compare-labels.ts';
import { PromqlError } from './error.ts';
import { createMeter, type Steps } from './evaluate/evaluation.ts';
import { evaluate } from './evaluate/expression.ts';
import type { Query } from './parse/parse.ts';
import { planReads } from './plan.ts';
import { type Grid, isInstant, type Value } from './value.ts';

/** Where samples come from: the store's reader bound to a client, or arrays in a test. */
export interface SampleSource {
  select(selection: SampleSelection, signal: AbortSignal): Promise<readonly SeriesPoints[]>;
}

export interface EngineOptions {
  readonly source: SampleSource;
  readonly signal: AbortSignal;
  readonly lookbackMs: number;
  /** How many points all values that are computed may have together, as a bound on memory. */
  readonly maxPoints: number;
  /** The step of subqueries that have none; a minute unless given. */
  readonly defaultStepMs?: number;
}

export interface QueryAnswer {
  readonly value: Value;
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
}

const sorted = <Series extends { readonly labels: readonly Label[] }>(series: readonly Series[]): Series[] =>
  [...series].sort((a, b) => compareLabels(a.labels, b.labels));

/** Others get their turn after so long. */
const turnMs = 10;

/** Drives an evaluation to its end, with turns for others, and stops it when its signal does. */
export async function drive<T>(steps: Steps<T>, signal: AbortSignal): Promise<T> {
  let startedMs = performance.now();
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    if (performance.now() - startedMs < turnMs) continue;
    await untilEnded(signal, turn(undefined, { signal }));
    startedMs = performance.now();
  }
}

/** The answer's order: by labels, unless it is the query's own. */
function inOrder(value: Value, isInstant: boolean): Value {
  if (value.kind === 'matrix') return { kind: 'matrix', series: sorted(value.series) };
  if (value.kind !== 'vector' || (isInstant && value.isOrdered === true)) return value;
  return { kind: 'vector', series: sorted(value.series) };
}

async function run(query: Query, grid: Grid, options: EngineOptions): Promise<QueryAnswer> {
  const { source, signal, lookbackMs, maxPoints, defaultStepMs = 60_000 } = options;
  const samples = new Map<VectorSelector, readonly SeriesPoints[]>();
  for (const { selection, selectors } of planReads(query.expression, { grid, lookbackMs })) {
    const read = await untilEnded(signal, source.select(selection, signal));
    for (const selector of selectors) samples.set(selector, read);
  }
  const annotations = createAnnotations(query.text);
  const evaluation = {
    grid,
    whole: grid,
    lookbackMs,
    defaultStepMs,
    samples,
    annotations,
    meter: createMeter(maxPoints),
    evaluate,
  };
  const value = await drive(evaluate(query.expression, evaluation), signal);
  return { value: inOrder(value, isInstant(grid)), warnings: annotations.warnings(), infos: annotations.infos() };
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
