/** Which values and labels OpenMetrics 1.0 allows to the samples of each type. */
import type { MetricType } from '../../../model/metric-metadata.ts';
import { parseGoFloat } from '../go-float.ts';
import { type Findings, shown } from './finding.ts';
import type { SampleLine } from './page-lines.ts';

export interface TypedSample extends SampleLine {
  readonly type: MetricType;
  /** What of its name follows the family's. */
  readonly suffix: string;
}

/** Samples that only ever grow from zero, or that count. */
const countLike: Partial<Record<MetricType, readonly string[]>> = {
  counter: ['_total'],
  histogram: ['_bucket', '_count', '_sum'],
  gaugehistogram: ['_bucket', '_gcount'],
  summary: ['_count', '_sum'],
};
const counts: readonly string[] = ['_bucket', '_count', '_gcount'];

/** Checks one sample by the type of its family. */
export function checkValue(sample: TypedSample, findings: Findings): void {
  const { line, name, type, suffix, value } = sample;
  if (countLike[type]?.includes(suffix)) {
    if (Number.isNaN(value)) findings.error(line, `${shown(name)} of a ${type} is NaN`);
    else if (value < 0) findings.error(line, `${shown(name)} of a ${type} is negative`);
    else if (type !== 'counter' && counts.includes(suffix) && !Number.isInteger(value))
      findings.error(line, `${shown(name)} of a ${type} counts, and is no whole number`);
  }
  if (suffix === '_gsum' && Number.isNaN(value)) findings.error(line, `${shown(name)} of a ${type} is NaN`);
  if (suffix === '_created' && type !== 'unknown' && !Number.isFinite(value))
    findings.error(line, `${shown(name)} is no time`);
  if (type === 'info' && value !== 1) findings.error(line, `${shown(name)} of type info must have the value 1`);
  if (type === 'stateset') checkState(sample, findings);
  if (type === 'summary' && suffix === '') checkQuantile(sample, findings);
  if (suffix === '_bucket' && (type === 'histogram' || type === 'gaugehistogram')) checkBound(sample, findings);
}

const labelOf = ({ labels }: SampleLine, wanted: string) => labels.find(([name]) => name === wanted)?.[1] ?? '';

function checkState(sample: TypedSample, findings: Findings): void {
  const { line, name, value } = sample;
  if (value !== 0 && value !== 1) findings.error(line, `${shown(name)} of type stateset must be 0 or 1`);
  if (labelOf(sample, name) === '')
    findings.error(line, `${shown(name)} of type stateset lacks the label ${shown(name)}, which names the state`);
}

function checkQuantile(sample: TypedSample, findings: Findings): void {
  const { line, name, value } = sample;
  const text = labelOf(sample, 'quantile');
  const quantile = parseGoFloat(text);
  if (text === '') findings.error(line, `${shown(name)} of a summary lacks the label "quantile"`);
  else if (quantile === undefined || !(quantile >= 0 && quantile <= 1))
    findings.error(line, `the quantile ${shown(text)} of ${shown(name)} is not between 0 and 1`);
  if (value < 0) findings.error(line, `a quantile of ${shown(name)} is negative`);
}

function checkBound(sample: TypedSample, findings: Findings): void {
  const { line, name } = sample;
  const text = labelOf(sample, 'le');
  const bound = parseGoFloat(text);
  if (text === '') findings.error(line, `${shown(name)} lacks the label "le"`);
  else if (bound === undefined || Number.isNaN(bound))
    findings.error(line, `the label le=${shown(text)} of ${shown(name)} is no number`);
}
