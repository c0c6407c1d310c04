/** `by` and `without`: which elements of a vector are aggregated together. */
import type { Label } from '../../../model/sample.ts';
import type { Aggregation } from '../ast.ts';
import { listOf } from '../label-lists.ts';
import type { GridSeries } from '../value.ts';
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
  const { labels, groupOf } = listOf(series).groupsBy({
    key: JSON.stringify(['group', grouping.isWithout, ...grouping.labels]),
    derive: (own) => groupLabels(own, grouping),
  });
  if (meter.spend(10 * series.length)) yield;
  const groups = labels.map((own): Group => ({ labels: own, members: [] }));
  for (let i = 0; i < series.length; i++) {
    const one = series[i];
    if (one !== undefined) groups[groupOf[i] ?? 0]?.members.push(one);
  }
  return groups;
}
