/** Prometheus's relabelling: `relabel_configs` make a target's labels, `metric_relabel_configs` those of its series. */
import { createHash } from 'node:crypto';
import type { Pattern } from '../../pattern/pattern.ts';

export const relabelActions = [
  'replace',
  'keep',
  'drop',
  'keepequal',
  'dropequal',
  'hashmod',
  'labelmap',
  'labeldrop',
  'labelkeep',
  'lowercase',
  'uppercase',
] as const;
export type RelabelAction = (typeof relabelActions)[number];

export interface RelabelRule {
  readonly action: RelabelAction;
  readonly sourceLabels: readonly string[];
  readonly separator: string;
  /** Anchored; `.` takes newlines too. */
  readonly pattern: Pattern;
  readonly targetLabel: string;
  readonly replacement: string;
  readonly modulus: number;
}

type Labels = Map<string, string>;

/** Writes `$1`, `${1}`, `${name}` and `$$` as Go's regexp does: a name is the longest run of letters, digits and `_`. */
function expand(template: string, groups: readonly string[], pattern: Pattern): string {
  if (!template.includes('$')) return template;
  return template.replace(/\$(?:(\$)|\{(\w+)\}|(\w+))/g, (_, dollar?: string, braced?: string, bare?: string) => {
    if (dollar !== undefined) return '$';
    const name = braced ?? bare ?? '';
    const group = /^\d+$/.test(name) ? Number(name) : pattern.names.get(name);
    return group === undefined ? '' : (groups[group] ?? '');
  });
}

/** The first label's value, the separator, the next: a label that is absent is empty. */
const join = (labels: Labels, { sourceLabels, separator }: RelabelRule): string =>
  sourceLabels.map((name) => labels.get(name) ?? '').join(separator);

function set(labels: Labels, name: string, value: string): void {
  if (value === '') labels.delete(name);
  else labels.set(name, value);
}

/** The last eight bytes of MD5, modulo: the same shard as Prometheus picks. */
function hashOf(text: string, modulus: number): string {
  const digest = createHash('md5').update(text).digest();
  return String(digest.readBigUInt64BE(8) % BigInt(modulus));
}

/** Every match written over by the template, as Go's ReplaceAllString; anchored, there is one at most. */
function rename(name: string, { pattern, replacement }: RelabelRule): string | undefined {
  const groups = pattern.match(name);
  return groups === undefined ? undefined : expand(replacement, groups, pattern);
}

function replace(labels: Labels, rule: RelabelRule): void {
  const groups = rule.pattern.match(join(labels, rule));
  if (groups === undefined) return;
  const name = expand(rule.targetLabel, groups, rule.pattern);
  if (name !== '') set(labels, name, expand(rule.replacement, groups, rule.pattern));
}

/** Applies one rule; false where it drops the whole label set. */
function applyRule(labels: Labels, rule: RelabelRule): boolean {
  const { action, pattern, targetLabel } = rule;
  switch (action) {
    case 'keep':
      return pattern.test(join(labels, rule));
    case 'drop':
      return !pattern.test(join(labels, rule));
    case 'keepequal':
      return (labels.get(targetLabel) ?? '') === join(labels, rule);
    case 'dropequal':
      return (labels.get(targetLabel) ?? '') !== join(labels, rule);
    case 'replace':
      replace(labels, rule);
      return true;
    case 'lowercase':
      set(labels, targetLabel, join(labels, rule).toLowerCase());
      return true;
    case 'uppercase':
      set(labels, targetLabel, join(labels, rule).toUpperCase());
      return true;
    case 'hashmod':
      set(labels, targetLabel, hashOf(join(labels, rule), rule.modulus));
      return true;
    case 'labelmap':
      for (const [name, value] of [...labels]) {
        const renamed = rename(name, rule);
        if (renamed !== undefined && renamed !== '') set(labels, renamed, value);
      }
      return true;
    case 'labeldrop':
      for (const name of [...labels.keys()]) if (pattern.test(name)) labels.delete(name);
      return true;
    case 'labelkeep':
      for (const name of [...labels.keys()]) if (!pattern.test(name)) labels.delete(name);
      return true;
  }
}

/** Applies rules in order to a copy; undefined where one drops the label set. */
export function relabel(
  labels: ReadonlyMap<string, string>,
  rules: readonly RelabelRule[],
): ReadonlyMap<string, string> | undefined {
  const relabelled = new Map(labels);
  for (const rule of rules) if (!applyRule(relabelled, rule)) return undefined;
  return relabelled;
}
