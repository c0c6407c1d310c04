/** From a block's keys to what becomes of its series: filters, labels, relabelling, limits, names. */
import type { ExposedSeries } from '../../codec/exposition/exposition.ts';
import type { MetricMetadata } from '../../model/metric-metadata.ts';
import { compareBytes, createSeries, type Label, type Measurement, type Series } from '../../model/sample.ts';
import { compilePattern, type Pattern } from '../../pattern/pattern.ts';
import type { PromInputConfig } from './config.ts';
import { type LabelRules, mergeLabels } from './labels.ts';
import { type NamingRules, nameSeries } from './naming.ts';
import { relabel } from './relabel.ts';
import { createRelabelRules } from './relabel-config.ts';
import { LimitError } from './scrape-error.ts';
import type { SeriesRules } from './series-table.ts';

export interface TargetRules extends SeriesRules {
  /** Whether series of the family can be kept. */
  keepsFamily(metadata: MetricMetadata): boolean;
  /** Whether filters or relabelling may leave series out. */
  readonly leavesOut: boolean;
}

interface LabelLimits {
  readonly labels: number;
  readonly nameBytes: number;
  readonly valueBytes: number;
}

const shownLength = 100;

function compile(text: string): Pattern {
  const compiled = compilePattern(text, { isAnchored: false });
  if (!compiled.ok) throw new Error(`the pattern "${text}" ${compiled.message}`);
  return compiled.pattern;
}

/** A text has at most three bytes for each of its UTF-16 units, so that few are counted. */
const isLonger = (text: string, bytes: number): boolean =>
  bytes > 0 && text.length * 3 > bytes && Buffer.byteLength(text) > bytes;

const nameOf = (labels: readonly Label[]) => labels.find(([name]) => name === '__name__')?.[1] ?? '';
const show = (text: string) => (text.length > shownLength ? `${text.slice(0, shownLength)}…` : text);

function checkLabels(labels: readonly Label[], limits: LabelLimits): void {
  if (limits.labels > 0 && labels.length > limits.labels) {
    throw new LimitError(
      `a series of ${show(nameOf(labels))} has ${labels.length} labels, the limit of label_limit is ${limits.labels}`,
    );
  }
  for (const [name, value] of labels) {
    if (isLonger(name, limits.nameBytes)) {
      throw new LimitError(
        `the label ${show(name)} of ${show(nameOf(labels))} has a name of more than ${limits.nameBytes} bytes, the limit of label_name_length_limit`,
      );
    }
    if (isLonger(value, limits.valueBytes)) {
      throw new LimitError(
        `the label ${show(name)} of ${show(nameOf(labels))} has a value of more than ${limits.valueBytes} bytes, the limit of label_value_length_limit`,
      );
    }
  }
}

/**
 * The family's name as the text format has it, which is what DataKit's filters and names go by: OpenMetrics leaves `_total` and `_info`
 * out of it.
 */
const textFamilyOf = ({ name, family, type }: ExposedSeries): string =>
  type === 'counter' || type === 'info' ? name : family;

function createFilter(config: PromInputConfig): (family: string, type: string) => boolean {
  const types = new Set<string>(config.metric_types.map((type) => (type === 'untyped' ? 'unknown' : type)));
  const ignored = config.metric_name_filter_ignore.map(compile);
  const wanted = config.metric_name_filter.map(compile);
  return (family, type) =>
    (types.size === 0 || types.has(type)) &&
    !ignored.some((pattern) => pattern.test(family)) &&
    (wanted.length === 0 || wanted.some((pattern) => pattern.test(family)));
}

function createLabelRules(config: PromInputConfig): LabelRules {
  return {
    ignored: new Set(config.tags_ignore),
    ignoredValues: new Map(
      Object.entries(config.ignore_tag_kv_match).map(([label, texts]) => [label, texts.map(compile)] as const),
    ),
    renames: new Map(Object.entries(config.tags_rename.mapping)),
    renameOverwrites: config.tags_rename.overwrite_exist_tags,
    honorsScraped: config.honor_labels,
  };
}

/**
 * Scraped labels and the target's own, both sorted, as one; undefined where they have a name in common. Most series are made here: the
 * first page of 50,000 takes a third of what the general way takes, and the pairs are shared.
 */
function mergeSorted(scraped: readonly Label[], target: readonly Label[]): readonly Label[] | undefined {
  const merged: Label[] = [];
  let next = 0;
  for (const label of scraped) {
    for (let own = target[next]; own !== undefined; own = target[next]) {
      const order = compareBytes(own[0], label[0]);
      if (order === 0) return undefined;
      if (order > 0) break;
      merged.push(own);
      next++;
    }
    merged.push(label);
  }
  for (; next < target.length; next++) {
    const own = target[next];
    if (own !== undefined) merged.push(own);
  }
  // An array that has grown keeps room for more.
  return merged.slice();
}

/** Names are looked up again beyond this. */
const maxNamed = 10_000;

/** DataKit's names, one object for all series of a name: made for each they were a fifth of what a series holds. */
function createNames(rules: NamingRules): (name: string, family: string) => Measurement {
  const known = new Map<string, { readonly family: string; readonly datakit: Measurement }>();
  return (name, family) => {
    const before = known.get(name);
    if (before?.family === family) return before.datakit;
    if (known.size >= maxNamed) known.clear();
    const datakit = nameSeries(name, family, rules);
    known.set(name, { family, datakit });
    return datakit;
  };
}

/**
 * With honor_labels a label that the page has empty is one that the series must not have, as Prometheus and its Pushgateway take it:
 * the target's does not stand in for it.
 */
function without(labels: ReadonlyMap<string, string>, names: readonly string[] = []): ReadonlyMap<string, string> {
  if (!names.some((name) => labels.has(name))) return labels;
  return new Map([...labels].filter(([name]) => !names.includes(name)));
}

/** The rules of a block for the target that has these labels. */
export function createSeriesRules(config: PromInputConfig, targetLabels: ReadonlyMap<string, string>): TargetRules {
  const keeps = createFilter(config);
  const labelRules = createLabelRules(config);
  const relabelRules = createRelabelRules(config.metric_relabel_configs);
  const namesOf = createNames({
    measurements: config.measurements,
    measurementName: config.measurement_name,
    measurementPrefix: config.measurement_prefix,
    keepsExistingName: config.keep_exist_metric_name,
  });
  const limits: LabelLimits = {
    labels: config.label_limit,
    nameBytes: config.label_name_length_limit,
    valueBytes: config.label_value_length_limit,
  };
  const isPlain =
    labelRules.ignored.size + labelRules.ignoredValues.size + labelRules.renames.size + relabelRules.length === 0;
  const sortedTargetLabels = createSeries(targetLabels).labels;
  return {
    honorsTimestamps: config.honor_timestamps,
    tracksOwnTimestamps: config.track_timestamps_staleness,
    leavesOut:
      config.metric_types.length +
        config.metric_name_filter.length +
        config.metric_name_filter_ignore.length +
        relabelRules.length >
      0,
    keepsFamily: ({ family, type }) => keeps(family, type) || keeps(`${family}_total`, type),
    seriesOf(exposed): Series | undefined {
      const family = textFamilyOf(exposed);
      if (!keeps(family, exposed.type)) return undefined;
      const own = config.honor_labels ? without(targetLabels, exposed.emptyLabels) : targetLabels;
      const plain = isPlain && own === targetLabels ? mergeSorted(exposed.labels, sortedTargetLabels) : undefined;
      if (plain !== undefined) {
        checkLabels(plain, limits);
        return { labels: plain, datakit: namesOf(exposed.name, family) };
      }
      const merged = mergeLabels(exposed.labels, own, labelRules).set('__name__', exposed.name);
      const labels = relabelRules.length === 0 ? merged : relabel(merged, relabelRules);
      if (labels === undefined || labels.size === 0) return undefined;
      const name = labels.get('__name__');
      if (name === undefined || name === '') {
        throw new Error(`metric_relabel_configs take the name off a series of ${show(exposed.name)}: it must keep one`);
      }
      const series = createSeries(labels, namesOf(name, name === exposed.name ? family : name));
      checkLabels(series.labels, limits);
      return series;
    },
  };
}
