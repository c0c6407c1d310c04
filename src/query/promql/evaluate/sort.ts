/** `sort` and its kin: only an instant query's answer has an order. */
import { compareBytes, compareLabels } from '../../../model/sample.ts';
import { ineffectiveSort } from '../annotations.ts';
import type { Call } from '../ast.ts';
import { type GridSeries, givenEndOf, isInstant, labelOf, type VectorValue } from '../value.ts';
import { type Evaluation, evaluateString, evaluateVector, type Steps } from './evaluation.ts';
import { sortInSteps } from './sort-steps.ts';

/** Runs of digits by their number: `node2` goes before `node10`. */
export function compareNaturally(a: string, b: string): number {
  const partsA = a.match(/\d+|\D+/g) ?? [];
  const partsB = b.match(/\d+|\D+/g) ?? [];
  for (let i = 0; i < Math.min(partsA.length, partsB.length); i++) {
    const x = partsA[i] ?? '';
    const y = partsB[i] ?? '';
    if (x === y) continue;
    if (/^\d/.test(x) && /^\d/.test(y) && Number(x) !== Number(y)) return Number(x) - Number(y);
    return compareBytes(x, y);
  }
  return partsA.length - partsB.length;
}

const firstValue = ({ values }: GridSeries): number => values[0] ?? Number.NaN;

/** NaN goes last either way. */
const byValue = (sign: 1 | -1) => (a: GridSeries, b: GridSeries) => {
  const x = firstValue(a);
  const y = firstValue(b);
  if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(x)) - Number(Number.isNaN(y));
  return x === y ? 0 : sign * (x < y ? -1 : 1);
};

export const isSort = (name: string): boolean => /^sort(?:_by_label)?(?:_desc)?$/.test(name);

export function* evaluateSort(call: Call, evaluation: Evaluation): Steps<VectorValue> {
  const [argument = call, ...rest] = call.arguments;
  const { series } = yield* evaluateVector(argument, evaluation);
  const names: string[] = [];
  for (const label of rest) names.push(yield* evaluateString(label, evaluation));
  if (givenEndOf(evaluation.grid) !== evaluation.grid.startMs) evaluation.annotations.warn(call, ineffectiveSort);
  if (!isInstant(evaluation.whole)) return { kind: 'vector', series };
  const sign = call.function.endsWith('_desc') ? -1 : 1;
  const byLabel = (a: GridSeries, b: GridSeries): number => {
    for (const name of names) {
      const order = compareNaturally(labelOf(a.labels, name), labelOf(b.labels, name));
      if (order !== 0) return sign * order;
    }
    return sign * compareLabels(a.labels, b.labels);
  };
  const isByLabel = call.function.startsWith('sort_by_label');
  const { meter } = evaluation;
  // Taking two texts apart is fifteen times what a step of sorting takes else.
  const slowMeter = { ...meter, spend: (units: number) => meter.spend(15 * units) };
  const sorted = isByLabel ? sortInSteps(series, byLabel, slowMeter) : sortInSteps(series, byValue(sign), meter);
  return { kind: 'vector', series: yield* sorted, isOrdered: true };
}
