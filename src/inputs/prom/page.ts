/** From a page as the codec reads it to the samples that the series table takes: each with its family and type. */
import { createTextParser, type MetricMetadata, type ParsedPage } from '../../codec/prometheus-text/text-parser.ts';
import type { Label } from '../../model/sample.ts';
import type { ExposedSample, ExposedSeries } from './series-table.ts';

type Metadata = ReadonlyMap<string, MetricMetadata>;

const suffixes: readonly (readonly [suffix: string, types: readonly string[]])[] = [
  ['_bucket', ['histogram']],
  ['_sum', ['histogram', 'summary']],
  ['_count', ['histogram', 'summary']],
];

/** The family that a sample belongs to and its type; `untyped` where no TYPE line says more. */
export function findFamily(name: string, metadata: Metadata): { readonly family: string; readonly type: string } {
  const own = metadata.get(name)?.type;
  if (own !== undefined) return { family: name, type: own };
  for (const [suffix, types] of suffixes) {
    if (!name.endsWith(suffix)) continue;
    const family = name.slice(0, -suffix.length);
    const type = metadata.get(family)?.type;
    if (type !== undefined && types.includes(type)) return { family, type };
  }
  return { family: name, type: 'untyped' };
}

const nameOf = (labels: readonly Label[]) => labels.find(([name]) => name === '__name__')?.[1] ?? '';

/** Makes the reader of one target's pages. It hands out the same series object for the same text while the target's types stay the same. */
export function createPageReader(): (body: Buffer) => readonly ExposedSample[] {
  const parser = createTextParser();
  let known = new WeakMap<readonly Label[], ExposedSeries>();
  let knownTypes = '';

  const seriesOf = (labels: readonly Label[], metadata: Metadata): ExposedSeries => {
    let series = known.get(labels);
    if (series === undefined) {
      const name = nameOf(labels);
      series = { name, labels, ...findFamily(name, metadata) };
      known.set(labels, series);
    }
    return series;
  };
  const checkTypes = ({ metadata }: ParsedPage) => {
    let types = '';
    for (const [family, { type }] of metadata) if (type !== undefined) types += `${family} ${type}\n`;
    if (types === knownTypes) return;
    knownTypes = types;
    known = new WeakMap();
  };

  return (body) => {
    const page = parser.parse(body);
    checkTypes(page);
    return page.samples.map(({ labels, value, timestampMs }) => ({
      series: seriesOf(labels, page.metadata),
      value,
      timestampMs,
    }));
  };
}
