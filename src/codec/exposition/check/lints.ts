/** Advice on names and help, as Prometheus' conventions have them: nothing that a reader refuses. */
import type { ExpositionFormat } from '../exposition.ts';
import type { CheckedFamily } from './families.ts';
import { type Findings, shown } from './finding.ts';

/** Units that are multiples of a base unit. */
const baseUnits: Readonly<Record<string, string>> = {
  milliseconds: 'seconds',
  microseconds: 'seconds',
  nanoseconds: 'seconds',
  minutes: 'seconds',
  hours: 'seconds',
  days: 'seconds',
  kilobytes: 'bytes',
  megabytes: 'bytes',
  gigabytes: 'bytes',
  kibibytes: 'bytes',
  mebibytes: 'bytes',
  bits: 'bytes',
  kilometers: 'meters',
  centimeters: 'meters',
  millimeters: 'meters',
  fahrenheit: 'celsius',
  kilograms: 'grams',
  milligrams: 'grams',
};
const abbreviations: readonly string[] = ['s', 'ms', 'us', 'ns', 'sec', 'b', 'kb', 'mb', 'gb', 'tb', 'm', 'h', 'd'];
const typeWords: readonly string[] = ['counter', 'gauge', 'histogram', 'summary'];

/** Says what could be better about a family. */
export function lintFamily(family: CheckedFamily, format: ExpositionFormat, findings: Findings): void {
  const { name, line, type } = family;
  const warn = (text: string) => findings.warn(line, `${shown(name)}: ${text}`);
  if (!family.hasHelp) warn('no HELP line says what it is');
  if (!family.hasType) warn('no TYPE line says what it is; it is taken as of unknown type');
  if (family.resumedAt !== undefined)
    findings.warn(family.resumedAt, `${shown(name)}: its samples do not stand together`);
  if (type === 'counter' && format === 'text' && !name.endsWith('_total')) warn('the name of a counter ends in _total');
  if (type !== 'counter' && type !== 'unknown' && name.endsWith('_total'))
    warn(`only the name of a counter ends in _total, and this is a ${type}`);
  lintLabels(family, warn);
  lintName(name, warn);
}

function lintLabels(
  { type, hasType, labelNames, sampleNames, name }: CheckedFamily,
  warn: (text: string) => void,
): void {
  const isHistogram = type === 'histogram' || type === 'gaugehistogram';
  if (!isHistogram && labelNames.has('le')) warn('only histograms have the label "le"');
  if (type !== 'summary' && labelNames.has('quantile')) warn('only summaries have the label "quantile"');
  for (const suffix of ['_bucket', '_count', '_sum'])
    if (hasType && !isHistogram && type !== 'summary' && type !== 'unknown' && name.endsWith(suffix))
      warn(`only samples of histograms and summaries end in ${suffix}, and this is a ${type}`);
  const camel = [...labelNames].find((label) => /[a-z][A-Z]/.test(label));
  if (camel !== undefined) warn(`the label ${shown(camel)} is in camelCase; snake_case is usual`);
  const reserved = [...labelNames].find((label) => label.startsWith('__'));
  if (reserved !== undefined) warn(`the label ${shown(reserved)} begins with __, which is kept for inner use`);
  if (sampleNames.size === 0) warn('it has no samples');
}

function lintName(name: string, warn: (text: string) => void): void {
  if (/[a-z][A-Z]/.test(name)) warn('the name is in camelCase; snake_case is usual');
  if (name.includes(':')) warn('a colon in a name is meant for recording rules');
  const words = name.replace(/_total$/, '').split('_');
  const word = words.find((part) => typeWords.includes(part));
  if (word !== undefined && words.length > 1) warn(`the name need not say that it is a ${word}`);
  const unit = words.find((part) => baseUnits[part] !== undefined);
  if (unit !== undefined) warn(`the base unit ${baseUnits[unit]} is usual instead of ${unit}`);
  const last = words.at(-1) ?? '';
  if (words.length > 1 && abbreviations.includes(last)) warn(`the unit ${shown(last)} is written out as a rule`);
}
