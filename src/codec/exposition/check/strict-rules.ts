/**
 * What OpenMetrics 1.0 forbids and a scrape takes all the same: the "must" rules of the specification on families, their order, their samples'
 * names, and times. Values and labels by type are in value-rules.ts, buckets in histogram-rules.ts.
 */
import type { MetricType } from '../../../model/metric-metadata.ts';
import type { MetadataLine } from '../metadata-line.ts';
import { maxExemplarLabelLength } from '../parser.ts';
import { type Findings, shown } from './finding.ts';
import { createHistogramRules, type HistogramRules } from './histogram-rules.ts';
import type { PageLine, SampleLine } from './page-lines.ts';
import { checkValue } from './value-rules.ts';

export interface StrictRules {
  take(line: PageLine): void;
  /** The page has ended. */
  finish(): void;
}

interface Family {
  readonly name: string;
  /** Undefined before a TYPE line. */
  type: MetricType | undefined;
  readonly said: Set<MetadataLine['kind']>;
  readonly line: number;
  unit: string;
  hasSamples: boolean;
  /** Metrics (label sets) that have ended: another one has begun. */
  readonly endedMetrics: Set<string>;
  metric: string | undefined;
  /** Of the metric now read: the last time of each of its series. */
  lastTimes: Map<string, number>;
  histogram: HistogramRules | undefined;
}

/** What the names of a family's samples end in. Its own name is taken in any case (OpenMetrics 1.0, "Suffixes"). */
const sampleSuffixes: Readonly<Record<MetricType, readonly string[]>> = {
  counter: ['_total', '_created'],
  gauge: [''],
  histogram: ['_bucket', '_count', '_sum', '_created'],
  gaugehistogram: ['_bucket', '_gcount', '_gsum'],
  summary: ['', '_count', '_sum', '_created'],
  info: ['_info'],
  stateset: [''],
  unknown: [''],
};

/** Makes the rules for one page. */
export function createStrictRules(findings: Findings): StrictRules {
  /** Every name that a family or a sample of a family has, and whose it is. */
  const owners = new Map<string, string>();
  let current: Family | undefined;

  const claim = (family: Family, name: string, line: number) => {
    const owner = owners.get(name);
    if (owner === undefined) owners.set(name, family.name);
    else if (owner !== family.name)
      findings.error(line, `the name ${shown(name)} belongs to the family ${shown(owner)} already`);
  };
  const close = () => {
    if (current === undefined) return;
    current.histogram?.finish();
    current = undefined;
  };
  const open = (name: string, line: number, type?: MetricType): Family => {
    close();
    if (owners.get(name) === name)
      findings.error(line, `the family ${shown(name)} is there twice, or goes on after another one`);
    const family: Family = {
      name,
      type,
      said: new Set(),
      line,
      unit: '',
      hasSamples: false,
      endedMetrics: new Set(),
      metric: undefined,
      lastTimes: new Map(),
      histogram: undefined,
    };
    claim(family, name, line);
    current = family;
    return family;
  };

  const takeMetadata = (line: MetadataLine & { readonly line: number }) => {
    const family = current?.name === line.family ? current : open(line.family, line.line);
    const kind = line.kind.toUpperCase();
    if (family.hasSamples) findings.error(line.line, `${kind} of ${shown(line.family)} stands behind its samples`);
    if (family.said.has(line.kind)) findings.error(line.line, `${kind} of ${shown(line.family)} is there twice`);
    family.said.add(line.kind);
    if (line.kind === 'unit') family.unit = line.unit;
    if (line.kind === 'type') {
      family.type = line.type;
      for (const suffix of sampleSuffixes[line.type]) claim(family, `${line.family}${suffix}`, line.line);
      if (line.type === 'histogram' || line.type === 'gaugehistogram')
        family.histogram = createHistogramRules({ name: family.name, type: line.type, findings });
    }
    if (family.unit !== '' && (family.type === 'info' || family.type === 'stateset'))
      findings.error(line.line, `${shown(line.family)} is of type ${family.type}, which has no unit`);
  };

  const takeSample = (line: SampleLine) => {
    if (current !== undefined && line.name === current.name && familyOf(current, line.name) === undefined) {
      findings.error(line.line, describeBareName(current));
      current.hasSamples = true;
      return;
    }
    const family = familyOf(current, line.name) ?? open(line.name, line.line);
    family.hasSamples = true;
    checkOrder(family, line, findings);
    checkValue({ ...line, suffix: line.name.slice(family.name.length), type: family.type ?? 'unknown' }, findings);
    checkExemplar(family, line, findings);
    family.histogram?.take(line);
  };

  return {
    take: (line) => (line.kind === 'sample' ? takeSample(line) : takeMetadata(line)),
    finish: close,
  };
}

/** A sample has the name of its family where the type wants an ending. */
function describeBareName({ name, type = 'unknown' }: Family): string {
  const names = sampleSuffixes[type].map((suffix) => shown(`${name}${suffix}`)).join(', ');
  const hint = type === 'counter' && name.endsWith('_total') ? '; TYPE and HELP name the family without _total' : '';
  return `a sample of the ${type} ${shown(name)} is named like one of ${names}${hint}`;
}

/** The family that is being read, if a sample of this name is one of it. */
function familyOf(current: Family | undefined, name: string): Family | undefined {
  if (current === undefined || !name.startsWith(current.name)) return undefined;
  return sampleSuffixes[current.type ?? 'unknown'].includes(name.slice(current.name.length)) ? current : undefined;
}

/** The label that is of the sample and not of the metric, so that the samples of one metric stand together. */
function ownLabel(family: Family): string {
  if (family.type === 'stateset') return family.name;
  if (family.type === 'summary') return 'quantile';
  return family.type === 'histogram' || family.type === 'gaugehistogram' ? 'le' : '';
}

function checkOrder(family: Family, line: SampleLine, findings: Findings): void {
  const own = ownLabel(family);
  const labels = line.labels.filter(([, value]) => value !== '').sort(([a], [b]) => (a < b ? -1 : 1));
  const metric = JSON.stringify(labels.filter(([name]) => name !== own));
  if (family.metric !== metric) {
    if (family.metric !== undefined) family.endedMetrics.add(family.metric);
    if (family.endedMetrics.has(metric))
      findings.error(line.line, `the samples of one metric of ${shown(family.name)} do not stand together`);
    family.metric = metric;
    family.lastTimes = new Map();
    family.histogram?.finish();
  }
  const series = `${line.name} ${JSON.stringify(labels)}`;
  const before = family.lastTimes.get(series);
  family.lastTimes.set(series, line.timestampMs);
  if (before === undefined) return;
  if (Number.isNaN(before) || Number.isNaN(line.timestampMs))
    findings.error(line.line, `a series of ${shown(line.name)} is there twice without a timestamp each`);
  else if (line.timestampMs <= before)
    findings.error(line.line, `the timestamps of a series of ${shown(line.name)} do not grow`);
}

function checkExemplar(family: Family, line: SampleLine, findings: Findings): void {
  if (line.exemplar === undefined) return;
  const suffix = line.name.slice(family.name.length);
  const { type } = family;
  const mayHave =
    (type === 'counter' && suffix === '_total') ||
    ((type === 'histogram' || type === 'gaugehistogram') && suffix === '_bucket');
  if (!mayHave) {
    const text = `${shown(line.name)} has an exemplar, which only counters' _total and histograms' _bucket have`;
    // Without a TYPE line nobody can say what it is.
    if (type === undefined) findings.warn(line.line, text);
    else findings.error(line.line, text);
  }
  let length = 0;
  for (const [name, value] of line.exemplar.labels) length += [...name].length + [...value].length;
  if (length > maxExemplarLabelLength)
    findings.error(line.line, `the exemplar's labels have ${length} characters; ${maxExemplarLabelLength} are allowed`);
  const names = new Set(line.exemplar.labels.map(([name]) => name));
  if (names.size < line.exemplar.labels.length) findings.error(line.line, 'a label of the exemplar is there twice');
}
