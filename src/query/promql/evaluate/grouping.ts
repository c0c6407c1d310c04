/** `by` and `without`: which elements of a vector are aggregated together. */
import type { Label } from '../../../model/sample.ts';
import type { Aggregation } from '../ast.ts';
import { listOf } from '../label-lists.ts';
import { isMark, isMarked, marked } from '../name-mark.ts';
import type { GridSeries } from '../value.ts';
import type { Meter, Steps } from './evaluation.ts';

export interface Group {
  readonly labels: readonly Label[];
  readonly members: GridSeries[];
}

export type Grouping = Pick<Aggregation, 'labels' | 'isWithout'>;

/** The labels that a group of the element is told apart by. */
export function groupLabels(labels: readonly Label[], { labels: named, isWithout }: Grouping): readonly Label[] {
  if (isWithout) return labels.filter(([name]) => name !== '__name__' && !isMark(name) && !named.includes(name));
  return named.length === 0 ? [] : labels.filter(([name]) => named.includes(name));
}

/** A group by the metric's name loses it in the end where any of its members does. */
function markGroups(groups: readonly Group[], { labels: named, isWithout }: Grouping): readonly Group[] {
  if (isWithout || !named.includes('__name__')) return groups;
  return groups.map((group) =>
    group.members.some(({ labels }) => isMarked(labels)) ? { ...group, labels: marked(group.labels) } : group,
  );
}

/** Groups in the order in which their first members come. */
export function* groupSeries(series: readonly GridSeries[], grouping: Grouping, meter: Meter): Steps<readonly Group[]> {
  if (series.length === 0) return [];
  if (!grouping.isWithout && grouping.labels.length === 0) return [{ labels: [], members: [...series] }];
  const { labels, groupOf } = yield* listOf(series).groupsBy(
    {
      key: JSON.stringify(['group', grouping.isWithout, ...grouping.labels]),
      derive: (own) => groupLabels(own, grouping),
    },
    meter,
  );
  if (meter.spend(10 * series.length)) yield;
  const groups = labels.map((own): Group => ({ labels: own, members: [] }));
  for (let i = 0; i < series.length; i++) {
    const one = series[i];
    if (one !== undefined) groups[groupOf[i] ?? 0]?.members.push(one);
  }
  return markGroups(groups, grouping);
}
