/** The table of PromQL's functions. A function that is not in it parses and is refused by name. */
import type { ValueType } from './ast.ts';
import type { RangeWindow } from './range-window.ts';
import { rate } from './rate.ts';

/** A function of one range vector, computed for each series and each point of the grid by itself. */
export interface RangeFunction {
  readonly kind: 'range';
  readonly parameters: readonly ValueType[];
  /** The value at a point, undefined where there is none. */
  readonly apply: (window: RangeWindow) => number | undefined;
  /** Whether the result keeps the metric's name. */
  readonly keepsName: boolean;
}

export type PromqlFunction = RangeFunction;

export const functions: ReadonlyMap<string, PromqlFunction> = new Map([
  ['rate', { kind: 'range', parameters: ['matrix'], apply: rate, keepsName: false }],
]);
