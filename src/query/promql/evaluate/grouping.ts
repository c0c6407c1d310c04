/** `by` and `without`: which elements of a vector are aggregated together. */
import type { Label } from '../../../model/sample.ts';
import type { Aggregation } from '../ast.ts';
import type { GridSeries } from '../value.ts';
import { createClasses } from './derived-labels.ts';
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
  if (series.length === 0) return [];
  if (!grouping.isWithout && grouping.labels.length === 0) return [{ labels: [], members: [...series] }];
  const classOf = createClasses({
    key: JSON.stringify(['group', grouping.isWithout, ...grouping.labels]),
    derive: (labels) => groupLabels(labels, grouping),
  });
  const groups = new Map<readonly Label[], Group>();
  for (const one of series) {
    const labels = classOf(one.labels);
    const group = groups.get(labels);
    if (group === undefined) groups.set(labels, { labels, members: [one] });
    else group.members.push(one);
    if (meter.spend(300)) yield;
  }
  return [...groups.values()];
}
