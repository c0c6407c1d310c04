/** Labels of several series: those that all of them have alike are said once, the others tell them apart. */
import type { Metric } from './promql-answer.ts';

export interface SharedLabels {
  /** Alike in every series; empty for no series. */
  readonly common: Metric;
  /** The names of the others: the metric's name first, then by the alphabet. */
  readonly differing: readonly string[];
}

/** A label's value; names are strangers' and may be those of what every object has. */
export const labelOf = (metric: Metric, name: string): string | undefined =>
  Object.hasOwn(metric, name) ? metric[name] : undefined;

/** What the series have in common, and by which labels they differ. */
export function shareLabels(metrics: readonly Metric[]): SharedLabels {
  const [first] = metrics;
  if (first === undefined) return { common: {}, differing: [] };
  const names = [...new Set(metrics.flatMap((metric) => Object.keys(metric)))].sort();
  const isCommon = (name: string) => metrics.every((metric) => labelOf(metric, name) === labelOf(first, name));
  return {
    common: Object.fromEntries(names.filter(isCommon).map((name) => [name, labelOf(first, name) ?? ''])),
    differing: names.filter((name) => !isCommon(name)),
  };
}

/** A name as PromQL has it: in quotes where it has other characters than a metric's name may have had once. */
const nameText = (name: string): string => (/^[a-zA-Z_:][\w:]*$/.test(name) ? name : JSON.stringify(name));

/** `up{job="x"}`, for a query to copy; `names` are the labels that stand in it, all unless said. */
export function metricText(metric: Metric, names: readonly string[] = Object.keys(metric).sort()): string {
  const present = names.filter((name) => labelOf(metric, name) !== undefined);
  const name = present.includes('__name__') ? nameText(metric['__name__'] ?? '') : '';
  const isQuoted = name.startsWith('"');
  const labels = present
    .filter((each) => each !== '__name__')
    .map((each) => `${nameText(each)}=${JSON.stringify(labelOf(metric, each))}`);
  if (isQuoted) return `{${[name, ...labels].join(', ')}}`;
  return labels.length === 0 ? name || '{}' : `${name}{${labels.join(', ')}}`;
}
