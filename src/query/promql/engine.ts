/** A query from its text to its value: parse, plan, read, evaluate. */
import { compareBytes, type Label } from '../../model/sample.ts';
import type { SampleSelection, SeriesPoints } from '../../store/readers/samples.ts';
import { untilEnded } from '../failure.ts';
import { type Expression, typeNames, typeOf, type VectorSelector } from './ast.ts';
import { PromqlError } from './error.ts';
import { evaluate } from './evaluate.ts';
import { planSelections } from './plan.ts';
import type { Grid, Value } from './value.ts';

/** Where samples come from: the store's reader bound to a client, or arrays in a test. */
export interface SampleSource {
  select(selection: SampleSelection, signal: AbortSignal): Promise<readonly SeriesPoints[]>;
}

export interface EngineOptions {
  readonly source: SampleSource;
  readonly signal: AbortSignal;
  readonly lookbackMs: number;
  readonly maxPoints: number;
}

/** Compares label sets as Prometheus sorts series: label by label, name before value. */
export function compareLabels(a: readonly Label[], b: readonly Label[]): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const [nameA, valueA] = a[i] ?? ['', ''];
    const [nameB, valueB] = b[i] ?? ['', ''];
    const order = compareBytes(nameA, nameB) || compareBytes(valueA, valueB);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

const sorted = <Series extends { readonly labels: readonly Label[] }>(series: readonly Series[]): Series[] =>
  [...series].sort((a, b) => compareLabels(a.labels, b.labels));

async function run(expression: Expression, grid: Grid, options: EngineOptions): Promise<Value> {
  const samples = new Map<VectorSelector, readonly SeriesPoints[]>();
  for (const { selector, selection } of planSelections(expression, grid, options.lookbackMs)) {
    samples.set(selector, await untilEnded(options.signal, options.source.select(selection, options.signal)));
  }
  const { lookbackMs, maxPoints } = options;
  const value = evaluate(expression, { grid, samples, lookbackMs, maxPoints });
  switch (value.kind) {
    case 'vector':
      return { kind: 'vector', series: sorted(value.series) };
    case 'matrix':
      return { kind: 'matrix', series: sorted(value.series) };
    default:
      return value;
  }
}

/** Evaluates at one time. */
export function instantQuery(expression: Expression, timeMs: number, options: EngineOptions): Promise<Value> {
  return run(expression, { startMs: timeMs, stepMs: 1, count: 1 }, options);
}

/** Evaluates at each point of the grid; only scalars and instant vectors can be. */
export async function rangeQuery(expression: Expression, grid: Grid, options: EngineOptions): Promise<Value> {
  const type = typeOf(expression);
  if (type === 'matrix' || type === 'string') {
    throw new PromqlError(
      'parse',
      `invalid expression type "${typeNames[type]}" for range query, must be Scalar or instant Vector`,
    );
  }
  return run(expression, grid, options);
}
