/** `absent` and `absent_over_time`. */
import { compareBytes, type Label } from '../../../model/sample.ts';
import type { LabelMatcher } from '../../../store/readers/label-matcher.ts';
import { type Call, type Expression, unwrap } from '../ast.ts';
import type { GridSeries, VectorValue } from '../value.ts';
import { type Evaluation, evaluateVector, hasAny, newSeries, type Steps } from './evaluation.ts';
import { presenceOf } from './matching.ts';
import { rangeArgument } from './range-functions.ts';
import { evaluateRange, visitWindows } from './range-vector.ts';

/** The labels of what is missing: those that the selector's matchers say by themselves. */
function labelsOfSelector(expression: Expression): readonly Label[] {
  const inner = unwrap(expression);
  const selector = inner.kind === 'matrix_selector' ? inner.selector : inner;
  if (selector.kind !== 'vector_selector') return [];
  const labels = new Map<string, string>();
  const seen = new Set<string>();
  const add = ({ name, op, value }: LabelMatcher): void => {
    if (name === '__name__') return;
    // A label with two matchers, or one that is no equality, is not known.
    if (op === '=' && !seen.has(name)) labels.set(name, value);
    else labels.delete(name);
    if (op === '=') seen.add(name);
  };
  selector.matchers.forEach(add);
  return [...labels].filter(([, value]) => value !== '').sort((a, b) => compareBytes(a[0], b[0]));
}

function absence(argument: Expression, presence: Uint8Array, evaluation: Evaluation): VectorValue {
  const into: GridSeries = newSeries(labelsOfSelector(argument), evaluation);
  into.values.fill(1);
  into.isPresent.set(presence.map((present) => 1 - present));
  return { kind: 'vector', series: hasAny(into) ? [into] : [] };
}

export function* evaluateAbsent(call: Call, evaluation: Evaluation): Steps<VectorValue> {
  const [argument = call] = call.arguments;
  const { series } = yield* evaluateVector(argument, evaluation);
  return absence(argument, presenceOf(series, evaluation.grid.count), evaluation);
}

export function* evaluateAbsentOverTime(call: Call, evaluation: Evaluation): Steps<VectorValue> {
  const argument = rangeArgument(call);
  const range = yield* evaluateRange(argument, evaluation);
  const presence = new Uint8Array(evaluation.grid.count);
  for (const series of range.series) {
    yield* visitWindows(series, range, evaluation, ({ index }) => {
      presence[index] = 1;
    });
  }
  return absence(argument, presence, evaluation);
}
