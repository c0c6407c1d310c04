/** The evaluator: expression + samples → value. Pure; it is the reference for whatever is computed in the engine instead. */
import type { Label } from '../../model/sample.ts';
import { isStale, type SeriesPoints } from '../../store/readers/samples.ts';
import { type Call, type Expression, type MatrixSelector, unwrap, type VectorSelector } from './ast.ts';
import { PromqlError, unsupported } from './error.ts';
import { functions, type RangeFunction } from './functions.ts';
import { type Grid, type GridSeries, labelKey, type RawSeries, type Value, withoutName } from './value.ts';

export interface Evaluation {
  readonly grid: Grid;
  /** How far back an instant selector looks for a sample. */
  readonly lookbackMs: number;
  /** The samples of each selector of the expression. */
  readonly samples: ReadonlyMap<VectorSelector, readonly SeriesPoints[]>;
  /** How many points all series together may have, as a bound on memory. */
  readonly maxPoints: number;
}

const tooManyPoints = (): PromqlError =>
  new PromqlError('execution', 'query processing would load too many samples into memory in query execution');

/** Computes one series of the result; `at` gives the value at the grid's `index`-th point, undefined where there is none. */
function gridSeries(
  labels: readonly Label[],
  grid: Grid,
  at: (timestampMs: number) => number | undefined,
): GridSeries | undefined {
  const values = new Float64Array(grid.count);
  const isPresent = new Uint8Array(grid.count);
  let hasAny = false;
  for (let i = 0; i < grid.count; i++) {
    const value = at(grid.startMs + i * grid.stepMs);
    if (value === undefined) continue;
    values[i] = value;
    isPresent[i] = 1;
    hasAny = true;
  }
  return hasAny ? { labels, values, isPresent } : undefined;
}

const samplesOf = (selector: VectorSelector, evaluation: Evaluation): readonly SeriesPoints[] => {
  const samples = evaluation.samples.get(selector);
  if (samples === undefined) throw new Error('a selector was evaluated whose samples were not read');
  return samples;
};

/** The newest sample in (t - lookback, t], unless it is a staleness marker. */
function evaluateVectorSelector(selector: VectorSelector, evaluation: Evaluation): GridSeries[] {
  const found: GridSeries[] = [];
  for (const points of samplesOf(selector, evaluation)) {
    const { timestampsMs, values } = points;
    let next = 0;
    const series = gridSeries(points.labels, evaluation.grid, (gridMs) => {
      const atMs = gridMs - selector.offsetMs;
      while (next < timestampsMs.length && (timestampsMs[next] ?? 0) <= atMs) next++;
      const newest = next - 1;
      if (newest < 0 || (timestampsMs[newest] ?? 0) <= atMs - evaluation.lookbackMs) return undefined;
      return isStale(points, newest) ? undefined : values[newest];
    });
    if (series !== undefined) found.push(series);
    if (found.length * evaluation.grid.count > evaluation.maxPoints) throw tooManyPoints();
  }
  return found;
}

/** The samples without staleness markers, which no range takes notice of. */
function withoutMarkers(points: SeriesPoints): Pick<SeriesPoints, 'timestampsMs' | 'values'> {
  if (points.staleAt === undefined) return points;
  const keep = (_: number, index: number) => !isStale(points, index);
  return { timestampsMs: points.timestampsMs.filter(keep), values: points.values.filter(keep) };
}

/** Applies a function to each window (t - range, t] of each series. */
function evaluateRangeFunction(known: RangeFunction, matrix: MatrixSelector, evaluation: Evaluation): GridSeries[] {
  const { selector, rangeMs } = matrix;
  const found: GridSeries[] = [];
  for (const points of samplesOf(selector, evaluation)) {
    const { timestampsMs, values } = withoutMarkers(points);
    let from = 0;
    let to = 0;
    const labels = known.keepsName ? points.labels : withoutName(points.labels);
    const series = gridSeries(labels, evaluation.grid, (gridMs) => {
      const untilMs = gridMs - selector.offsetMs;
      const afterMs = untilMs - rangeMs;
      while (to < timestampsMs.length && (timestampsMs[to] ?? 0) <= untilMs) to++;
      while (from < to && (timestampsMs[from] ?? 0) <= afterMs) from++;
      return from === to ? undefined : known.apply({ timestampsMs, values, from, to, afterMs, untilMs });
    });
    if (series !== undefined) found.push(series);
    if (found.length * evaluation.grid.count > evaluation.maxPoints) throw tooManyPoints();
  }
  return found;
}

/** Two series may not end up with one label set once the metric's name is gone. */
function checkUnique(series: readonly GridSeries[]): readonly GridSeries[] {
  const seen = new Set<string>();
  for (const { labels } of series) {
    const key = labelKey(labels);
    if (seen.has(key)) {
      throw new PromqlError('execution', 'vector cannot contain metrics with the same labelset');
    }
    seen.add(key);
  }
  return series;
}

function evaluateCall(call: Call, evaluation: Evaluation): Value {
  const known = functions.get(call.function);
  if (known === undefined) throw unsupported(`function "${call.function}"`);
  const [argument] = call.arguments.map(unwrap);
  if (argument?.kind !== 'matrix_selector') throw new Error(`${call.function} was parsed without its range`);
  return { kind: 'vector', series: checkUnique(evaluateRangeFunction(known, argument, evaluation)) };
}

/** A range vector as it stands, at the grid's only point. */
function evaluateMatrixSelector(matrix: MatrixSelector, evaluation: Evaluation): RawSeries[] {
  const untilMs = evaluation.grid.startMs - matrix.selector.offsetMs;
  const afterMs = untilMs - matrix.rangeMs;
  const found: RawSeries[] = [];
  for (const points of samplesOf(matrix.selector, evaluation)) {
    const { timestampsMs, values } = withoutMarkers(points);
    const from = timestampsMs.findIndex((timestampMs) => timestampMs > afterMs);
    if (from === -1) continue;
    const end = timestampsMs.findIndex((timestampMs) => timestampMs > untilMs);
    const to = end === -1 ? timestampsMs.length : end;
    if (to > from) {
      found.push({
        labels: points.labels,
        timestampsMs: timestampsMs.subarray(from, to),
        values: values.subarray(from, to),
      });
    }
  }
  return found;
}

/** Evaluates an expression over the grid. Series come in the order in which the samples had them. */
export function evaluate(expression: Expression, evaluation: Evaluation): Value {
  const inner = unwrap(expression);
  switch (inner.kind) {
    case 'number':
      return { kind: 'scalar', values: new Float64Array(evaluation.grid.count).fill(inner.value) };
    case 'string':
      return { kind: 'string', text: inner.value };
    case 'vector_selector':
      return { kind: 'vector', series: evaluateVectorSelector(inner, evaluation) };
    case 'matrix_selector':
      return { kind: 'matrix', series: evaluateMatrixSelector(inner, evaluation) };
    case 'call':
      return evaluateCall(inner, evaluation);
  }
}
