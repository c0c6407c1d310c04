/** `label_replace` and `label_join`. */
import { compareBytes, type Label } from '../../../model/sample.ts';
import { compilePattern, type Pattern } from '../../../pattern/pattern.ts';
import type { Call } from '../ast.ts';
import { unmarked } from '../name-mark.ts';
import { type GridSeries, labelOf, type VectorValue } from '../value.ts';
import {
  type Evaluation,
  evaluateString,
  evaluateVector,
  executionError,
  mergeEqual,
  type Steps,
} from './evaluation.ts';

/** The labels with one of them set; '' takes it away. */
export function withLabel(labels: readonly Label[], name: string, value: string): readonly Label[] {
  const others = labels.filter((label) => label[0] !== name);
  if (value === '') return others;
  return [...others, [name, value] as const].sort((a, b) => compareBytes(a[0], b[0]));
}

/** A metric's name that was given here stays. */
const renamed = (labels: readonly Label[], name: string, value: string): readonly Label[] =>
  withLabel(name === '__name__' ? unmarked(labels) : labels, name, value);

/** `$1`, `${1}`, `$name`, `${name}` and `$$` in a replacement, as Go's regexp expands them. */
function expand(template: string, match: readonly string[], names: ReadonlyMap<string, number>): string {
  return template.replace(/\$(?:\$|\{(\w+)\}|(\w+))/g, (whole, braced?: string, plain?: string) => {
    if (whole === '$$') return '$';
    const name = braced ?? plain ?? '';
    const group = /^\d+$/.test(name) ? Number(name) : names.get(name);
    return group === undefined ? '' : (match[group] ?? '');
  });
}

function compile(source: string): Pattern {
  const compiled = compilePattern(source, { isAnchored: true, dotTakesNewline: true });
  if (compiled.ok) return compiled.pattern;
  throw executionError(`invalid regular expression in label_replace(): ${source}`);
}

function* evaluateStrings(call: Call, evaluation: Evaluation): Steps<string[]> {
  const found: string[] = [];
  for (const argument of call.arguments.slice(1)) found.push(yield* evaluateString(argument, evaluation));
  return found;
}

function* relabel(
  call: Call,
  evaluation: Evaluation,
  change: (labels: readonly Label[]) => readonly Label[],
): Steps<VectorValue> {
  const vector = yield* evaluateVector(call.arguments[0] ?? call, evaluation);
  const series: GridSeries[] = [];
  for (const one of vector.series) {
    series.push({ ...one, labels: change(one.labels) });
    if (evaluation.meter.spend(3000)) yield;
  }
  return { ...vector, series: yield* mergeEqual(series, evaluation.meter) };
}

function checkDestination(call: Call, name: string): void {
  if (name === '') throw executionError(`invalid destination label name in ${call.function}(): ${name}`);
}

export function* evaluateLabelReplace(call: Call, evaluation: Evaluation): Steps<VectorValue> {
  const [destination = '', replacement = '', source = '', regex = ''] = yield* evaluateStrings(call, evaluation);
  const pattern = compile(regex);
  checkDestination(call, destination);
  return yield* relabel(call, evaluation, (labels) => {
    const match = pattern.match(labelOf(labels, source));
    return match === undefined ? labels : renamed(labels, destination, expand(replacement, match, pattern.names));
  });
}

export function* evaluateLabelJoin(call: Call, evaluation: Evaluation): Steps<VectorValue> {
  const [destination = '', separator = '', ...sources] = yield* evaluateStrings(call, evaluation);
  if (sources.includes('')) throw executionError('invalid source label name in label_join(): ');
  checkDestination(call, destination);
  return yield* relabel(call, evaluation, (labels) =>
    renamed(labels, destination, sources.map((source) => labelOf(labels, source)).join(separator)),
  );
}
