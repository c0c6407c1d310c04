/** Which samples an expression needs, so that all of them are read before anything is evaluated. */
import type { SampleSelection } from '../../store/readers/samples.ts';
import { type Expression, unwrap, type VectorSelector } from './ast.ts';
import type { Grid } from './value.ts';

export interface PlannedSelection {
  /** The node whose samples these are; nodes are told apart by identity. */
  readonly selector: VectorSelector;
  readonly selection: SampleSelection;
}

/** The timestamp of the grid's last point. */
export const endOf = (grid: Grid): number => grid.startMs + (grid.count - 1) * grid.stepMs;

function selectionOf(selector: VectorSelector, reachMs: number, grid: Grid): PlannedSelection {
  return {
    selector,
    selection: {
      matchers: selector.matchers,
      afterMs: grid.startMs - selector.offsetMs - reachMs,
      untilMs: endOf(grid) - selector.offsetMs,
    },
  };
}

/** Every selector of the expression with the window that its points on the grid look at. */
export function planSelections(expression: Expression, grid: Grid, lookbackMs: number): PlannedSelection[] {
  const inner = unwrap(expression);
  switch (inner.kind) {
    case 'number':
    case 'string':
      return [];
    case 'vector_selector':
      return [selectionOf(inner, lookbackMs, grid)];
    case 'matrix_selector':
      return [selectionOf(inner.selector, inner.rangeMs, grid)];
    case 'call':
      return inner.arguments.flatMap((argument) => planSelections(argument, grid, lookbackMs));
  }
}
