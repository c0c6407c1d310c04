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

/** What is longer is no label: each of these functions could double the one before it. */
const maxLabelLength = 65_536;

const tooLong = (call: Call): Error =>
  executionError(`${call.function}() makes a label of more than ${maxLabelLength} characters, which is the limit`);

function checkLength(call: Call, value: string): string {
  if (value.length > maxLabelLength) throw tooLong(call);
  return value;
}

/** What trying a pattern on a value may take: nobody else has a turn meanwhile. */
const maxSteps = 5_000_000;
/** Of a step, in the meter's units. */
const stepUnits = 20;
/** Of most labels' values. */
const usualLength = 30;

function checkWork(pattern: Pattern, value: string): void {
  if (pattern.size * value.length <= maxSteps) return;
  throw executionError(
    `the regular expression in label_replace() is too large for a value of ${value.length} characters: it takes ${pattern.size} steps for each, and ${maxSteps} are the limit`,
  );
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
  { change, units }: { readonly change: (labels: readonly Label[]) => readonly Label[]; readonly units: number },
): Steps<VectorValue> {
  const vector = yield* evaluateVector(call.arguments[0] ?? call, evaluation);
  const series: GridSeries[] = [];
  for (const one of vector.series) {
    series.push({ ...one, labels: change(one.labels) });
    if (evaluation.meter.spend(units)) yield;
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
  const change = (labels: readonly Label[]): readonly Label[] => {
    const value = labelOf(labels, source);
    checkWork(pattern, value);
    const match = pattern.match(value);
    if (match === undefined) return labels;
    const replaced = checkLength(call, expand(replacement, match, pattern.names));
    return renamed(labels, destination, replaced);
  };
  return yield* relabel(call, evaluation, { change, units: 3000 + pattern.size * usualLength * stepUnits });
}

export function* evaluateLabelJoin(call: Call, evaluation: Evaluation): Steps<VectorValue> {
  const [destination = '', separator = '', ...sources] = yield* evaluateStrings(call, evaluation);
  if (sources.includes('')) throw executionError('invalid source label name in label_join(): ');
  checkDestination(call, destination);
  const change = (labels: readonly Label[]): readonly Label[] => {
    const values = sources.map((source) => labelOf(labels, source));
    const length = values.reduce((sum, value) => sum + value.length + separator.length, 0);
    if (length > 2 * maxLabelLength) throw tooLong(call);
    return renamed(labels, destination, checkLength(call, values.join(separator)));
  };
  return yield* relabel(call, evaluation, { change, units: 3000 + 100 * sources.length });
}
