/** A label's name and value. */
export type Label = readonly [name: string, value: string];

/** DataKit's name for a series, kept beside its labels: `istio_prom` and `istio_requests_total`. */
export interface Measurement {
  readonly measurement: string;
  readonly field: string;
}

/** A series is its label set, `__name__` among it. The same object may serve many scrapes, so that what is derived from it is derived once. */
export interface Series {
  /** Sorted by name in byte order; no name twice, no empty value. */
  readonly labels: readonly Label[];
  readonly datakit: Measurement | undefined;
}

/** One value of a series. `isStale` marks the end of the series here (Prometheus' NaN 0x7ff0000000000002); its `value` is NaN. */
export interface Sample {
  /** Milliseconds since 1970. */
  readonly timestampMs: number;
  readonly value: number;
  readonly isStale: boolean;
}

/** Values of one series, in order of time. */
export interface SeriesSamples {
  readonly series: Series;
  readonly samples: readonly Sample[];
}

/** The value of a label, '' when the series lacks it. */
export function labelValue(series: Series, name: string): string {
  for (const [key, value] of series.labels) if (key === name) return value;
  return '';
}

/** Compares two strings by their UTF-8 bytes, the order in which labels are sorted (UTF-16 order differs beyond the basic plane). */
export function compareBytes(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    const isHighX = x >= 0xd800 && x <= 0xdfff;
    const isHighY = y >= 0xd800 && y <= 0xdfff;
    if (isHighX !== isHighY) return isHighX ? 1 : -1;
    return x - y;
  }
  return a.length - b.length;
}

/** Compares label sets as Prometheus sorts series: label by label, name before value. */
export function compareLabels(a: readonly Label[], b: readonly Label[]): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const labelA = a[i];
    const labelB = b[i];
    // Label arrays share their pairs, where they come from one cache.
    if (labelA === undefined || labelB === undefined || labelA === labelB) continue;
    const order = compareBytes(labelA[0], labelB[0]) || compareBytes(labelA[1], labelB[1]);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

/** Makes a series of labels in any order; labels with an empty value are absent. */
export function createSeries(labels: Iterable<Label>, datakit?: Measurement): Series {
  const kept = [...labels].filter(([, value]) => value !== '').sort((a, b) => compareBytes(a[0], b[0]));
  return { labels: kept, datakit };
}
