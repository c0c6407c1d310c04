/** `by` and `without`: which elements of a vector are aggregated together. */
import type { Label } from '../../../model/sample.ts';
import type { Aggregation } from '../ast.ts';
import { type GridSeries, labelKey } from '../value.ts';
import type { Meter, Steps } from './evaluation.ts';

export interface Group {
  readonly labels: readonly Label[];
  readonly members: GridSeries[];
}

export type Grouping = Pick<Aggregation, 'labels' | 'isWithout'>;

/** The labels that a group of the element is told apart by. */
export function groupLabels(labels: readonly Label[], { labels: named, isWithout }: Grouping): readonly Label[] {
  if (isWithout) return labels.filter(([name]) => name !== '__name__' && !named.includes(name));
  return named.length === 0 ? [] : labels.filter(([name]) => named.includes(name));
}

/** Groups in the order in which their first members come. */
export function* groupSeries(series: readonly GridSeries[], grouping: Grouping, meter: Meter): Steps<readonly Group[]> {
  const groups = new Map<string, Group>();
  for (const one of series) {
    const labels = groupLabels(one.labels, grouping);
    const key = labelKey(labels);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { labels, members: [one] });
    else group.members.push(one);
    if (meter.spend(1000)) yield;
  }
  return [...groups.values()];
}
