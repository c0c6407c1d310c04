/**
 * What is computed in the engine in place of the evaluator. Each row says how and why the result is the evaluator's; `pushdown.test.ts` compares
 * every row with it on random samples (docs/decisions/promql-pushdown.md).
 */
import type { GridFunction, GridRow, GridSelection } from '../../store/readers/grids.ts';
import { type Expression, type Moved, unwrap, type VectorSelector } from './ast.ts';
import { isStepInvariant } from './step-invariant.ts';
import { type Grid, type GridSeries, givenEndOf } from './value.ts';

export interface PushedFunction {
  readonly engine: GridFunction;
  /** Why the engine's result is Prometheus's. */
  readonly why: string;
  /** What is made of the engine's value. */
  readonly finish?: (value: number) => number;
}

/** The engine computes the rate and multiplies: what is a whole number but for rounding becomes one, as it would be in Prometheus. */
function nearWhole(value: number): number {
  const whole = Math.round(value);
  return Math.abs(value - whole) <= 1e-12 * Math.abs(whole) ? whole : value;
}

const lastWhy =
  'the newest sample of the window, bit by bit; where two have one stamp the larger, as the reader has it';

/** Range functions by name; none takes notice of staleness markers. Series with NaN or an infinity are left to the evaluator in every row. */
export const pushedFunctions: ReadonlyMap<string, PushedFunction> = new Map<string, PushedFunction>([
  ['rate', { engine: 'Rate', why: 'the same extrapolation, within 1e-9' }],
  ['increase', { engine: 'Increase', why: 'the same extrapolation, within 1e-9', finish: nearWhole }],
  ['delta', { engine: 'Delta', why: 'the same extrapolation, within 1e-9', finish: nearWhole }],
  ['irate', { engine: 'InstantRate', why: 'the last two samples, within 1e-15' }],
  ['idelta', { engine: 'InstantDelta', why: 'the last two samples, bit by bit' }],
  ['changes', { engine: 'Changes', why: 'a whole number' }],
  ['resets', { engine: 'Resets', why: 'a whole number' }],
  ['last_over_time', { engine: 'Last', why: lastWhy }],
  ['present_over_time', { engine: 'Last', why: 'whether there is any sample', finish: () => 1 }],
]);

/** Selectors: a stale marker is NaN, so that series that ended are left to the evaluator. */
export const pushedSelector: PushedFunction = { engine: 'Last', why: lastWhy };

/** A part of a query that the engine can compute. */
export interface Pushable {
  /** The call, or the selector itself; nodes are told apart by identity. */
  readonly node: Expression;
  readonly selector: VectorSelector;
  readonly function: PushedFunction;
  readonly selection: GridSelection;
}

/** The engine's rows as the evaluator has them. */
export function finishRows({ finish }: PushedFunction, rows: readonly GridRow[]): readonly GridSeries[] {
  if (finish === undefined) return rows;
  for (const { values } of rows) for (let i = 0; i < values.length; i++) values[i] = finish(values[i] ?? 0);
  return rows;
}

export interface PushdownOptions {
  readonly grid: Grid;
  readonly lookbackMs: number;
}

function firstTime({ at, offsetMs }: Moved, grid: Grid): number {
  switch (at?.kind) {
    case 'time':
      return at.timeMs - offsetMs;
    case 'start':
      return grid.startMs - offsetMs;
    case 'end':
      return givenEndOf(grid) - offsetMs;
    default:
      return grid.startMs - offsetMs;
  }
}

interface Candidate {
  readonly node: Expression;
  readonly selector: VectorSelector;
  readonly rangeMs: number;
  readonly function: PushedFunction;
}

function pushable({ node, selector, rangeMs, function: pushed }: Candidate, { grid }: PushdownOptions): Pushable[] {
  if (selector.edges !== undefined) return [];
  // What is the same at every point is evaluated at the first alone.
  const count = isStepInvariant(node) ? 1 : grid.count;
  const { stepMs } = grid;
  const startMs = firstTime(selector, grid);
  const { matchers } = selector;
  const selection = {
    matchers,
    function: pushed.engine,
    startMs,
    stepMs: count === 1 ? 0 : stepMs,
    count,
    rangeMs,
    takesMarkers: node === selector,
  };
  return [{ node, selector, function: pushed, selection }];
}

/** Functions that look at their selector's samples themselves. */
const looksAtSelector: ReadonlySet<string> = new Set(['timestamp', 'info', 'absent_over_time']);

/** Every part of the expression that the engine can compute. What is inside a subquery has another grid and is left alone. */
export function findPushable(expression: Expression, options: PushdownOptions): readonly Pushable[] {
  const inner = unwrap(expression);
  switch (inner.kind) {
    case 'vector_selector': {
      const candidate = { node: inner, selector: inner, rangeMs: options.lookbackMs, function: pushedSelector };
      return pushable(candidate, options);
    }
    case 'call': {
      if (looksAtSelector.has(inner.function)) return [];
      const pushed = pushedFunctions.get(inner.function);
      const range = inner.arguments.map(unwrap).find(({ kind }) => kind === 'matrix_selector');
      if (pushed !== undefined && range?.kind === 'matrix_selector') {
        const { selector, rangeMs } = range;
        return pushable({ node: inner, selector, rangeMs, function: pushed }, options);
      }
      return inner.arguments.flatMap((argument) => findPushable(argument, options));
    }
    case 'aggregation':
      return [inner.inner, ...(inner.parameter === undefined ? [] : [inner.parameter])].flatMap((part) =>
        findPushable(part, options),
      );
    case 'binary':
      return [...findPushable(inner.left, options), ...findPushable(inner.right, options)];
    case 'unary':
      return findPushable(inner.inner, options);
    default:
      return [];
  }
}
