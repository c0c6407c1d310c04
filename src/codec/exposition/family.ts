/** Which metric family a sample belongs to, by the TYPE lines of its page. */
import type { MetricMetadata, MetricType } from '../../model/metric-metadata.ts';

export interface Family {
  readonly family: string;
  readonly type: MetricType;
}

const suffixes: readonly (readonly [suffix: string, types: readonly MetricType[]])[] = [
  ['_total', ['counter']],
  ['_bucket', ['histogram', 'gaugehistogram']],
  ['_sum', ['histogram', 'summary']],
  ['_count', ['histogram', 'summary']],
  ['_gsum', ['gaugehistogram']],
  ['_gcount', ['gaugehistogram']],
  ['_created', ['counter', 'histogram', 'summary']],
  ['_info', ['info']],
];

/** The family of a sample and its type; the sample's own name and `unknown` where no TYPE line says more. */
export function findFamily(name: string, metadata: ReadonlyMap<string, MetricMetadata>): Family {
  const own = metadata.get(name);
  if (own !== undefined && own.type !== 'unknown') return { family: name, type: own.type };
  const underscore = name.lastIndexOf('_');
  for (const [suffix, types] of underscore > 0 ? suffixes : []) {
    if (name.length - suffix.length !== underscore || !name.endsWith(suffix)) continue;
    const family = name.slice(0, underscore);
    const type = metadata.get(family)?.type;
    if (type !== undefined && types.includes(type)) return { family, type };
  }
  return { family: name, type: 'unknown' };
}
