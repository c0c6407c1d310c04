/** The labels of a TimeSeries, checked as Prometheus checks them. */
import { isUtf8 } from 'node:buffer';
import {
  compareBytes,
  createSeries,
  type Label,
  labelValue,
  type Measurement,
  type Series,
} from '../../model/sample.ts';
import { hashBytes } from './series-cache.ts';
import type { WireCursor } from './wire-cursor.ts';

/** A series, or why it cannot be taken. */
export type CheckedLabels =
  | { readonly series: Series; readonly refusal: '' }
  | { readonly series: undefined; readonly refusal: string };

/** What decoding leaves where bytes were no UTF-8. Many exporters write this very character in place of such bytes: then it is text. */
const replacement = '\ufffd';
/** Stands for bytes that were no UTF-8 until their label is refused: half of a character, which no UTF-8 decodes to. */
const notText = '\udfff';

/** Prometheus 3 takes any text as a name, as OpenTelemetry's names need, and so do we: what is left to refuse is no text at all. */
const isName = (text: string): boolean => text !== '' && !text.includes(notText);

/** As reliability asks of scrapes: no series needs more. */
const maxLabels = 128;
const maxNameBytes = 1024;
const maxValueBytes = 16 * 1024;
const maxShown = 200;

const shown = (text: string): string =>
  JSON.stringify((text.length > maxShown ? `${text.slice(0, maxShown)}…` : text).replaceAll(notText, replacement));

/**
 * Most labels are the same in many series: those of a pod, of a job. Each is one object for all of them, which is what makes a hundred
 * thousand known series affordable.
 */
const maxShared = 200_000;
const maxMeasurements = 50_000;

export type ReadLabels = (cursor: WireCursor, end: number) => CheckedLabels;

function readText(bytes: Buffer, start: number, end: number): string {
  const text = bytes.toString('utf8', start, end);
  return !text.includes(replacement) || isUtf8(bytes.subarray(start, end))
    ? text
    : text.replaceAll(replacement, notText);
}

/** Reads one Label message up to `end`. */
export function readLabel(cursor: WireCursor, end: number): [name: string, value: string] {
  let name = '';
  let value = '';
  while (cursor.at < end) {
    const tag = cursor.uint32();
    if (tag === 0x0a || tag === 0x12) {
      const stop = cursor.part(end);
      const text = readText(cursor.bytes, cursor.at, stop);
      cursor.at = stop;
      if (tag === 0x0a) name = text;
      else value = text;
    } else cursor.skip(tag, end);
  }
  cursor.leave(end);
  return [name, value];
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
    const refusal = labelRefusal(name, value);
    if (refusal !== '') return refusal;
  }
  if (metric === '') return 'a series without a metric name';
  return '';
}

function labelRefusal(name: string, value: string): string {
  if (!isName(name)) return `invalid label name ${shown(name)}`;
  if (name.length > maxNameBytes) return `a label name of ${name.length} bytes, more than ${maxNameBytes}`;
  if (value.length > maxValueBytes) return `label ${name} has ${value.length} bytes, more than ${maxValueBytes}`;
  if (value.includes(notText)) return `label ${name} is not valid UTF-8: ${shown(value)}`;
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

/** Whether `bytes` from `at` are the length and the ASCII of a text. */
function holdsText(bytes: Buffer, at: number, text: string): boolean {
  const { length } = text;
  if (length > 0x7f || bytes[at] !== length) return false;
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    // A single byte above ASCII is no UTF-8, whatever letter has its number.
    if (code > 0x7f || bytes[at + 1 + i] !== code) return false;
  }
  return true;
}

/** Whether a Label message is this label, as everybody writes it; no label that is longer or not ASCII is known so. */
function holdsLabel(bytes: Buffer, { start, end }: { readonly start: number; readonly end: number }, label: Label) {
  const [name, value] = label;
  const valueAt = start + 2 + name.length;
  return (
    valueAt + 2 + value.length === end &&
    bytes[start] === 0x0a &&
    bytes[valueAt] === 0x12 &&
    holdsText(bytes, start + 1, name) &&
    holdsText(bytes, valueAt + 1, value)
  );
}

/** Makes the function that gives DataKit's view of a metric, the same object for all of its series. */
function createMeasurements(): (metric: string) => Measurement {
  const known = new Map<string, Measurement>();
  return (metric) => {
    let measurement = known.get(metric);
    if (measurement === undefined) {
      if (known.size >= maxMeasurements) known.clear();
      measurement = measurementOf(metric);
      known.set(metric, measurement);
    }
    return measurement;
  };
}

/** Whether labels are sorted, none of them twice. */
function areInOrder(labels: readonly Label[]): boolean {
  for (let i = 1; i < labels.length; i++) {
    if (compareBytes(labels[i - 1]?.[0] ?? '', labels[i]?.[0] ?? '') >= 0) return false;
  }
  return true;
}

/**
 * Makes a reader of labels that shares what is the same in many series, and adds `tags` to those that lack them. A label that is known is
 * found by its bytes: no string is made of it, and it was checked before. Hot where series are new: bench/remote-write.ts.
 */
export function createLabelReader(tags: Readonly<Record<string, string>>): ReadLabels {
  const added = Object.entries(tags);
  /** Labels without fault, by a hash of their bytes. */
  const shared = new Map<number, Label>();
  const measurementOfMetric = createMeasurements();
  /** Those of the series before: the same ones mostly stand at the same places. */
  let before: readonly Label[] = [];

  /** Undefined where the label has a fault. */
  const readShared = (cursor: WireCursor, end: number, place: number): Label | undefined => {
    const { bytes } = cursor;
    const range = { start: cursor.at, end };
    const last = before[place];
    if (last !== undefined && holdsLabel(bytes, range, last)) {
      cursor.at = end;
      return last;
    }
    const hash = hashBytes(bytes, range.start, end);
    const known = shared.get(hash);
    if (known !== undefined && holdsLabel(bytes, range, known)) {
      cursor.at = end;
      return known;
    }
    const label = readLabel(cursor, end);
    const [name, value] = label;
    // What holdsLabel does not look at: long ones, and such as are not ASCII.
    if (known?.[0] === name && known[1] === value) return known;
    if (labelRefusal(name, value) !== '') return undefined;
    if (shared.size >= maxShared) shared.clear();
    shared.set(hash, label);
    return label;
  };

  /** The label messages between the cursor and `end`, which hold nothing but fields of a TimeSeries; undefined where one has a fault. */
  const readAll = (cursor: WireCursor, end: number): readonly Label[] | undefined => {
    const labels: Label[] = [];
    while (cursor.at < end) {
      const tag = cursor.uint32();
      if (tag === 0x0a) {
        const label = readShared(cursor, cursor.part(end), labels.length);
        if (label === undefined) return undefined;
        labels.push(label);
      } else cursor.skip(tag, end);
    }
    before = labels;
    // A copy, for an array that has grown keeps room for more.
    return areInOrder(labels) ? labels.slice() : labels.toSorted(byName);
  };

  return (cursor, end) => {
    const start = cursor.at;
    const labels = readAll(cursor, end);
    if (labels === undefined || labels.length > maxLabels || !areInOrder(labels)) {
      cursor.at = start;
      return { series: undefined, refusal: refusalOf(readFaulty(cursor, end)) };
    }
    const metric = labelValue({ labels, datakit: undefined }, '__name__');
    if (metric === '') return { series: undefined, refusal: refusalOf(labels) };
    const datakit = measurementOfMetric(metric);
    if (added.length === 0 && !labels.some(isEmpty)) return { series: { labels, datakit }, refusal: '' };
    // Labels that the series has itself win, also where they are empty.
    const own = new Set(labels.map(([name]) => name));
    const all = [...labels, ...added.filter(([name]) => !own.has(name))];
    return { series: createSeries(all, datakit), refusal: '' };
  };
}

const isEmpty = ([, value]: Label): boolean => value === '';

/** The same as they stand there, sorted. */
function readFaulty(cursor: WireCursor, end: number): readonly Label[] {
  const labels: Label[] = [];
  while (cursor.at < end) {
    const tag = cursor.uint32();
    if (tag === 0x0a) labels.push(readLabel(cursor, cursor.part(end)));
    else cursor.skip(tag, end);
  }
  return labels.sort(byName);
}

/** An exemplar's labels, sorted; undefined where they are no labels or too long (128 characters, as OpenMetrics has it). */
export function exemplarLabels(labels: readonly Label[]): readonly Label[] | undefined {
  const sorted = labels.filter(([, value]) => value !== '').sort(byName);
  let characters = 0;
  let before: string | undefined;
  for (const [name, value] of sorted) {
    if (name === before || !isName(name) || value.includes(notText)) return undefined;
    before = name;
    characters += [...name].length + [...value].length;
  }
  return characters <= 128 ? sorted : undefined;
}
