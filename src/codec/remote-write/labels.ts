/** The labels of a TimeSeries, checked as Prometheus checks them. */
import { compareBytes, createSeries, type Label, type Measurement, type Series } from '../../model/sample.ts';
import type { WireCursor } from './wire-cursor.ts';

/** A series, or why it cannot be taken. */
export type CheckedLabels =
  | { readonly series: Series; readonly refusal: '' }
  | { readonly series: undefined; readonly refusal: string };

/** What decoding leaves where bytes were no UTF-8; a sender that means this very character is not told apart, and need not be. */
const replacement = '\ufffd';

/** Prometheus 3 takes any text as a name, as OpenTelemetry's names need, and so do we: what is left to refuse is no text at all. */
const isName = (text: string): boolean => text !== '' && !text.includes(replacement);

/** As reliability asks of scrapes: no series needs more. */
const maxLabels = 128;
const maxNameBytes = 1024;
const maxValueBytes = 16 * 1024;
const maxShown = 200;

const shown = (text: string): string => JSON.stringify(text.length > maxShown ? `${text.slice(0, maxShown)}…` : text);

/**
 * Most labels are the same in many series: those of a pod, of a job. Each is one object for all of them, which is what makes a hundred
 * thousand known series affordable.
 */
const maxShared = 200_000;

export type ReadLabels = (cursor: WireCursor, end: number) => CheckedLabels;

/** Reads one Label message up to `end`. */
export function readLabel(cursor: WireCursor, end: number): [name: string, value: string] {
  let name = '';
  let value = '';
  while (cursor.at < end) {
    const tag = cursor.uint32();
    if (tag === 0x0a || tag === 0x12) {
      const stop = cursor.part(end);
      const text = cursor.bytes.toString('utf8', cursor.at, stop);
      cursor.at = stop;
      if (tag === 0x0a) name = text;
      else value = text;
    } else cursor.skip(tag, end);
  }
  cursor.leave(end);
  return [name, value];
}

/** The label messages between the cursor and `end`, which hold nothing but fields of a TimeSeries; others than labels are passed over. */
function readAll(cursor: WireCursor, end: number): Label[] {
  const labels: Label[] = [];
  while (cursor.at < end) {
    const tag = cursor.uint32();
    if (tag === 0x0a) labels.push(readLabel(cursor, cursor.part(end)));
    else cursor.skip(tag, end);
  }
  return labels;
}

/** Why a series of these labels, sorted, cannot be taken; '' where it can. */
export function refusalOf(labels: readonly Label[]): string {
  if (labels.length === 0) return 'a series without labels';
  if (labels.length > maxLabels) return `a series has ${labels.length} labels, more than ${maxLabels}`;
  let before: string | undefined;
  let metric = '';
  for (const [name, value] of labels) {
    if (name === '__name__') metric = value;
    if (name === before) return `duplicate label name ${shown(name)}`;
    before = name;
    if (!isName(name)) return `invalid label name ${shown(name)}`;
    if (name.length > maxNameBytes) return `a label name of ${name.length} bytes, more than ${maxNameBytes}`;
    if (value.length > maxValueBytes) return `label ${name} has ${value.length} bytes, more than ${maxValueBytes}`;
    if (value.includes(replacement)) return `label ${name} is not valid UTF-8: ${shown(value)}`;
  }
  if (metric === '') return 'a series without a metric name';
  return '';
}

/** Senders must sort labels and some do not: Prometheus sorts them itself, and so do we. */
const byName = (a: Label, b: Label): number => compareBytes(a[0], b[0]);

/** DataKit's view of a metric: what stands before the first underscore is the measurement, the rest the field. */
export function measurementOf(metric: string): Measurement {
  const at = metric.indexOf('_', 1);
  return at === -1 || at === metric.length - 1
    ? { measurement: metric, field: metric }
    : { measurement: metric.slice(0, at), field: metric.slice(at + 1) };
}

/** Makes a reader of labels that shares what is the same in many series, and adds `tags` to those that lack them. */
export function createLabelReader(tags: Readonly<Record<string, string>>): ReadLabels {
  const added = Object.entries(tags);
  const shared = new Map<string, Label>();
  const share = (label: Label): Label => {
    const key = `${label[0]}\u0000${label[1]}`;
    const known = shared.get(key);
    if (known !== undefined) return known;
    if (shared.size >= maxShared) shared.clear();
    shared.set(key, label);
    return label;
  };
  return (cursor, end) => {
    const labels = readAll(cursor, end).sort(byName);
    const refusal = refusalOf(labels);
    if (refusal !== '') return { series: undefined, refusal };
    const metric = labels.find(([name]) => name === '__name__')?.[1] ?? '';
    // Labels that the series has itself win; it is sorted again only where something is added.
    const own = new Set(labels.map(([name]) => name));
    const all = [...labels, ...added.filter(([name]) => !own.has(name))];
    return { series: createSeries(all.map(share), measurementOf(metric)), refusal: '' };
  };
}

/** An exemplar's labels, sorted; undefined where they are no labels or too long (128 characters, as OpenMetrics has it). */
export function exemplarLabels(labels: readonly Label[]): readonly Label[] | undefined {
  const sorted = labels.filter(([, value]) => value !== '').sort(byName);
  let characters = 0;
  let before: string | undefined;
  for (const [name, value] of sorted) {
    if (name === before || !isName(name) || value.includes(replacement)) return undefined;
    before = name;
    characters += [...name].length + [...value].length;
  }
  return characters <= 128 ? sorted : undefined;
}
