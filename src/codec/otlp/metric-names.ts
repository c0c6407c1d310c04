/**
 * OTLP's names as Prometheus 3's OTLP receiver writes them by default (`UnderscoreEscapingWithSuffixes`;
 * https://github.com/prometheus/otlptranslator), to the character: whoever moves here finds every series under its old name.
 */
import { compareBytes } from '../../model/sample.ts';

export type MetricKind = 'gauge' | 'counter' | 'updown' | 'histogram' | 'exponential_histogram' | 'summary';

/** UCUM's units by the words that Prometheus uses. */
const units: ReadonlyMap<string, string> = new Map([
  ['d', 'days'],
  ['h', 'hours'],
  ['min', 'minutes'],
  ['s', 'seconds'],
  ['ms', 'milliseconds'],
  ['us', 'microseconds'],
  ['ns', 'nanoseconds'],
  ['By', 'bytes'],
  ['KiBy', 'kibibytes'],
  ['MiBy', 'mebibytes'],
  ['GiBy', 'gibibytes'],
  // As Prometheus spells it.
  ['TiBy', 'tibibytes'],
  ['KBy', 'kilobytes'],
  ['MBy', 'megabytes'],
  ['GBy', 'gigabytes'],
  ['TBy', 'terabytes'],
  ['m', 'meters'],
  ['V', 'volts'],
  ['A', 'amperes'],
  ['J', 'joules'],
  ['W', 'watts'],
  ['g', 'grams'],
  ['Cel', 'celsius'],
  ['Hz', 'hertz'],
  ['1', ''],
  ['%', 'percent'],
]);

/** What stands behind the stroke: `m` is a minute there. */
const perUnits: ReadonlyMap<string, string> = new Map([
  ['s', 'second'],
  ['m', 'minute'],
  ['h', 'hour'],
  ['d', 'day'],
  ['w', 'week'],
  ['mo', 'month'],
  ['y', 'year'],
]);

const notInNames = /[^a-zA-Z0-9:]/gu;
const notInLabels = /[^a-zA-Z0-9_]/gu;
const onlyUnderscores = /^_*$/;

/** Annotations such as `{request}` are no units. */
const isUnit = (text: string): boolean => text !== '' && !/[{}]/.test(text);

function unitSuffixes(unit: string): { main: string; per: string } {
  const stroke = unit.indexOf('/');
  const main = (stroke === -1 ? unit : unit.slice(0, stroke)).trim();
  const per = stroke === -1 ? '' : unit.slice(stroke + 1).trim();
  const perWord = isUnit(per) ? (perUnits.get(per) ?? per) : '';
  return {
    main: isUnit(main) ? (units.get(main) ?? main) : '',
    per: perWord === '' ? '' : `per_${perWord}`,
  };
}

const cleanUnit = (unit: string): string => unit.replace(notInNames, '_').replace(/__+/g, '_').replace(/^_/, '');

function addUnits(tokens: string[], unit: string): void {
  const suffixes = unitSuffixes(unit);
  let main = cleanUnit(suffixes.main);
  let per = cleanUnit(suffixes.per);
  if (tokens.includes(main)) main = '';
  if (per === 'per_') per = '';
  else {
    per = per.replace(/_$/, '');
    if (tokens.includes(per)) per = '';
  }
  if (per !== '') main = main.replace(/_$/, '');
  if (main !== '') tokens.push(main);
  if (per !== '') tokens.push(per);
}

/** The metric's name; undefined where nothing of it can stand in one. */
export function prometheusName(name: string, unit: string, kind: MetricKind): string | undefined {
  let tokens = name.split(notInNames).filter((token) => token !== '');
  addUnits(tokens, unit);
  if (kind === 'counter') tokens = [...tokens.filter((token) => token !== 'total'), 'total'];
  // Counters of things have the unit 1 too, in many programs: a ratio is a gauge.
  if (kind === 'gauge' && unit === '1') tokens = [...tokens.filter((token) => token !== 'ratio'), 'ratio'];
  const joined = tokens.join('_');
  if (onlyUnderscores.test(joined)) return undefined;
  return /^[0-9]/.test(joined) ? `_${joined}` : joined;
}

/** The unit in Prometheus' words, '' where there is none: `bytes_per_second`. */
export function prometheusUnit(unit: string): string {
  const { main, per } = unitSuffixes(unit);
  const words = [cleanUnit(main), cleanUnit(per)].filter((word) => word !== '');
  return words.join('_').replace(/^_/, '').replace(/_$/, '');
}

/** An attribute's name as a label's; undefined where nothing of it can stand in one. */
export function prometheusLabel(key: string): string | undefined {
  const name = key.replace(notInLabels, '_');
  if (onlyUnderscores.test(name)) return undefined;
  if (/^[0-9]/.test(name)) return `key_${name}`;
  // Two underscores are somebody's own reserved name.
  return name.startsWith('_') && !name.startsWith('__') ? `key${name}` : name;
}

/** Names are taken in order of their bytes, so that values of names that become the same are joined in one order. */
export const byKey = (a: readonly [string, string], b: readonly [string, string]): number => compareBytes(a[0], b[0]);

/** A bound or a quantile without an exponent, as Go's `FormatFloat(x, 'f', -1, 64)` writes it: `0.005`, `1`, `+Inf`. */
export function plainNumber(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  if (Object.is(value, -0)) return '-0';
  const text = String(value);
  const parts = /^(-?)([0-9])(?:\.([0-9]+))?e([+-][0-9]+)$/.exec(text);
  if (parts === null) return text;
  const [, sign = '', first = '', rest = '', exponent = '0'] = parts;
  const power = Number(exponent);
  const digits = first + rest;
  return power < 0 ? `${sign}0.${'0'.repeat(-power - 1)}${digits}` : `${sign}${digits.padEnd(power + 1, '0')}`;
}
