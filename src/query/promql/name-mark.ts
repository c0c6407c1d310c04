/**
 * Metrics' names that are taken off when the whole query is done instead of by each function, so that `label_replace` and `label_join` still see
 * them and series that differ in name alone do not meet halfway (Prometheus: `--enable-feature=promql-delayed-name-removal`). Until then a mark
 * stands among the labels, behind all others; what groups and matches does not look at it.
 */
import type { Label } from '../../model/sample.ts';

/** No label sorts behind this one. */
const markName = '\u{10ffff}';
const mark: Label = [markName, '1'];

export const isMark = (name: string): boolean => name === markName;

export const isMarked = (labels: readonly Label[]): boolean => labels.at(-1)?.[0] === markName;

const markedOf = new WeakMap<readonly Label[], readonly Label[]>();

/** The labels with the mark: the same array for the same labels, so that others can know it again. */
export function marked(labels: readonly Label[]): readonly Label[] {
  if (isMarked(labels)) return labels;
  let found = markedOf.get(labels);
  if (found === undefined) {
    found = [...labels, mark];
    markedOf.set(labels, found);
  }
  return found;
}

export const unmarked = (labels: readonly Label[]): readonly Label[] =>
  isMarked(labels) ? labels.slice(0, -1) : labels;
