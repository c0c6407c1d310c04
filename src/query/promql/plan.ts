/** Which samples an expression needs, so that all of them are read before anything is evaluated, and each of them once. */
import type { SampleSelection } from '../../store/readers/samples.ts';
import { type Expression, type Moved, unwrap, type VectorSelector } from './ast.ts';
import { infoSelector } from './info-selector.ts';
import { endOf, type Grid, givenEndOf } from './value.ts';

/** One read, for every selector that it serves. */
export interface PlannedRead {
  readonly selection: SampleSelection;
  /** Nodes are told apart by identity. */
  readonly selectors: readonly VectorSelector[];
}

export interface PlanOptions {
  readonly grid: Grid;
  readonly lookbackMs: number;
  /** Selectors whose samples are not needed any more. */
  readonly known?: ReadonlySet<VectorSelector>;
}

interface Window {
  readonly afterMs: number;
  readonly untilMs: number;
}

interface Wanted extends Window {
  readonly selector: VectorSelector;
}

interface Times {
  readonly firstMs: number;
  readonly lastMs: number;
}

/** The times that a selector or subquery looks at while it is evaluated at `times`. */
function movedTimes({ at, offsetMs }: Moved, times: Times, { grid }: PlanOptions): Times {
  const from = (timeMs: number): Times => ({ firstMs: timeMs - offsetMs, lastMs: timeMs - offsetMs });
  switch (at?.kind) {
    case 'time':
      return from(at.timeMs);
    case 'start':
      return from(grid.startMs);
    case 'end':
      return from(givenEndOf(grid));
    default:
      return { firstMs: times.firstMs - offsetMs, lastMs: times.lastMs - offsetMs };
  }
}

function wantedBy(expression: Expression, times: Times, options: PlanOptions): Wanted[] {
  const reach = (selector: VectorSelector, backMs: number): Wanted[] => {
    const { firstMs, lastMs } = movedTimes(selector, times, options);
    const untilMs = selector.edges === 'smoothed' ? lastMs + options.lookbackMs : lastMs;
    return [{ selector, afterMs: firstMs - backMs, untilMs }];
  };
  const inner = unwrap(expression);
  switch (inner.kind) {
    case 'number':
    case 'string':
      return [];
    case 'vector_selector':
      return reach(inner, options.lookbackMs);
    case 'matrix_selector':
      return reach(inner.selector, inner.rangeMs + (inner.selector.edges === undefined ? 0 : options.lookbackMs));
    case 'subquery': {
      const { firstMs, lastMs } = movedTimes(inner, times, options);
      return wantedBy(inner.inner, { firstMs: firstMs - inner.rangeMs, lastMs }, options);
    }
    case 'call':
      if (inner.function === 'info') {
        return [
          ...wantedBy(inner.arguments[0] ?? inner, times, options),
          ...wantedBy(infoSelector(inner), times, options),
        ];
      }
      return inner.arguments.flatMap((argument) => wantedBy(argument, times, options));
    case 'aggregation':
      return [inner.inner, ...(inner.parameter === undefined ? [] : [inner.parameter])].flatMap((part) =>
        wantedBy(part, times, options),
      );
    case 'binary':
      return [...wantedBy(inner.left, times, options), ...wantedBy(inner.right, times, options)];
    case 'unary':
      return wantedBy(inner.inner, times, options);
  }
}

/** Reads of one selection whose windows touch are one. */
function joined(wanted: readonly Wanted[]): PlannedRead[] {
  const reads: PlannedRead[] = [];
  let window: Window | undefined;
  let selectors: VectorSelector[] = [];
  const close = (): void => {
    const [first] = selectors;
    if (window !== undefined && first !== undefined) {
      reads.push({ selection: { matchers: first.matchers, ...window }, selectors });
    }
  };
  for (const { selector, afterMs, untilMs } of [...wanted].sort((a, b) => a.afterMs - b.afterMs)) {
    if (window !== undefined && afterMs <= window.untilMs) {
      window = { afterMs: window.afterMs, untilMs: Math.max(window.untilMs, untilMs) };
      selectors.push(selector);
      continue;
    }
    close();
    window = { afterMs, untilMs };
    selectors = [selector];
  }
  close();
  return reads;
}

/** Every read that the expression needs. */
export function planReads(expression: Expression, options: PlanOptions): readonly PlannedRead[] {
  const { grid, known = new Set() } = options;
  const bySelection = new Map<string, Wanted[]>();
  for (const wanted of wantedBy(expression, { firstMs: grid.startMs, lastMs: endOf(grid) }, options)) {
    if (known.has(wanted.selector)) continue;
    const key = JSON.stringify(wanted.selector.matchers.map(({ name, op, value }) => [name, op, value]).sort());
    const others = bySelection.get(key);
    if (others === undefined) bySelection.set(key, [wanted]);
    else others.push(wanted);
  }
  return [...bySelection.values()].flatMap(joined);
}
