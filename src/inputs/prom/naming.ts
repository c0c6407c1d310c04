/** DataKit's names for a series: measurement and field (reference of DataKit's `[[inputs.prom]]`, name splitting). */
import type { Measurement } from '../../model/sample.ts';

export interface NamingRules {
  readonly measurements: readonly { readonly prefix: string; readonly name: string }[];
  readonly measurementName: string;
  readonly measurementPrefix: string;
  readonly keepsExistingName: boolean;
}

/** Splits a family's name: `etcd_write_bytes_total` → `etcd` and `write_bytes_total`, unless a rule says otherwise. */
export function splitFamilyName(family: string, rules: NamingRules): Measurement {
  const { measurement, field } = splitByRules(family, rules);
  return { measurement: rules.measurementPrefix + measurement, field };
}

function splitByRules(family: string, rules: NamingRules): Measurement {
  const rule = rules.measurements.find(({ prefix }) => prefix !== '' && family.startsWith(prefix));
  if (rule !== undefined) {
    const measurement = rule.name === '' ? rule.prefix.replace(/_+$/, '') : rule.name;
    return { measurement, field: family.slice(rule.prefix.length) };
  }
  if (rules.measurementName !== '') return { measurement: rules.measurementName, field: family };
  const stripped = family.replace(/^_+/, '');
  if (stripped === '') return { measurement: 'unknown', field: 'unknown' };
  const at = stripped.indexOf('_');
  const measurement = at < 0 ? stripped : stripped.slice(0, at);
  if (rules.keepsExistingName) return { measurement, field: family };
  const field = at < 0 ? '' : stripped.slice(at + 1);
  return { measurement, field: field === '' ? measurement : field };
}

/** The names of one sample's series: the family's, with what the sample's own name adds to it (`_bucket`, `_sum`, `_count`). */
export function nameSeries(name: string, family: string, rules: NamingRules): Measurement {
  if (!name.startsWith(family)) return splitFamilyName(name, rules);
  const { measurement, field } = splitFamilyName(family, rules);
  return { measurement, field: field + name.slice(family.length) };
}
