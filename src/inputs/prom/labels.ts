/** From a scraped series to the stored one: DataKit's tag filters, then Prometheus' merge with the target's own labels. */
import type { Label } from '../../model/sample.ts';
import type { Pattern } from '../../pattern/pattern.ts';

export interface LabelRules {
  /** Labels to leave out. */
  readonly ignored: ReadonlySet<string>;
  /** Labels to leave out where their value matches. */
  readonly ignoredValues: ReadonlyMap<string, readonly Pattern[]>;
  readonly renames: ReadonlyMap<string, string>;
  readonly renameOverwrites: boolean;
  /** Leaves a scraped label alone where the target has it too. */
  readonly honorsScraped: boolean;
}

function renameLabels(labels: ReadonlyMap<string, string>, rules: LabelRules): Map<string, string> {
  const renamed = new Map(labels);
  for (const [from, to] of rules.renames) {
    const value = labels.get(from);
    if (value === undefined || from === to) continue;
    if (labels.has(to) && !rules.renameOverwrites) continue;
    renamed.delete(from);
    renamed.set(to, value);
  }
  return renamed;
}

/**
 * The labels of a series of this target, its name not among them. Target labels win: the scraped one becomes `exported_…`, prefixed again
 * while that is taken, as Prometheus does.
 */
export function mergeLabels(
  scraped: readonly Label[],
  target: ReadonlyMap<string, string>,
  rules: LabelRules,
): Map<string, string> {
  const kept = new Map<string, string>();
  for (const [name, value] of scraped) {
    if (name === '__name__' || value === '' || rules.ignored.has(name)) continue;
    if (rules.ignoredValues.get(name)?.some((pattern) => pattern.test(value))) continue;
    kept.set(name, value);
  }
  const own = rules.renames.size === 0 ? kept : renameLabels(kept, rules);
  if (rules.honorsScraped) {
    const merged = new Map(own);
    for (const [name, value] of target) if (!merged.has(name)) merged.set(name, value);
    return merged;
  }
  const merged = new Map([...own].filter(([name]) => !target.has(name)));
  for (const [name, value] of target) merged.set(name, value);
  for (const [name, value] of [...own].sort(([a], [b]) => a.length - b.length)) {
    if (!target.has(name)) continue;
    let free = `exported_${name}`;
    while (own.has(free) || merged.has(free)) free = `exported_${free}`;
    merged.set(free, value);
  }
  return merged;
}
