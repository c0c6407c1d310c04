/** What one request of OTLP's metrics comes to while it is read. */
import type { Exemplar } from '../../model/exemplar.ts';
import type { MetricMetadata } from '../../model/metric-metadata.ts';
import type { Label, Sample, Series, SeriesSamples } from '../../model/sample.ts';
import { CodecError } from '../codec-error.ts';
import { type KnownMetric, type KnownResource, targetMetadata } from './metric-series.ts';

/** Something that was left out, with its reason and how many data points, or exemplars, there were of it. */
export interface LeftOutPoints {
  readonly what: 'data points' | 'exemplars';
  readonly reason: string;
  count: number;
}

/** What a request brought. */
export interface DecodedMetrics {
  readonly items: readonly SeriesSamples[];
  readonly metadata: readonly MetricMetadata[];
  readonly exemplars: readonly Exemplar[];
  /** The times of the data points that are in `items`, each of which may have made several samples. */
  readonly pointTimesMs: readonly number[];
  /** At most `maxReasons` different reasons; the last one then stands for all further ones. */
  readonly leftOut: readonly LeftOutPoints[];
}

/** A body has more samples than are taken. */
export class TooManySamplesError extends CodecError {}

export const tellTooManySamples = (maxSamples: number): TooManySamplesError =>
  new TooManySamplesError(
    `the body holds more than ${maxSamples} samples (max_samples of [[inputs.otlp]]); send smaller batches`,
  );

export interface ReadExemplar {
  readonly labels: readonly Label[];
  readonly value: number;
  readonly timestampMs: number;
}

/** A time and whether the series ends there: all samples of a data point have them in common. */
export interface PointTime {
  readonly timestampMs: number;
  readonly isStale: boolean;
}

const maxReasons = 20;

/** `target_info` is there at least this often between the first and the last data point: half of what a query looks back. */
const targetIntervalMs = 150_000;
/** A day's worth; a single old data point must not make millions of them. */
const maxTargetSamples = 576;

/** About two milliseconds' worth. */
const samplesPerStep = 4000;
/** What a new series costs, in samples of known ones. */
const workPerSeries = 15;

/** A class because it is what many functions add to. */
export class MetricsCollector implements DecodedMetrics {
  readonly items: SeriesSamples[] = [];
  readonly exemplars: Exemplar[] = [];
  readonly pointTimesMs: number[] = [];
  readonly #metadata = new Set<MetricMetadata>();
  readonly #leftOut = new Map<string, LeftOutPoints>();
  readonly #maxSamples: number;
  #seen = 0;
  #leftOutTimes = 0;
  #stepEnd = samplesPerStep;
  #earliestMs = Number.POSITIVE_INFINITY;
  #latestMs = Number.NEGATIVE_INFINITY;

  /** `created` series were made before. */
  constructor(maxSamples: number, created: number) {
    this.#maxSamples = maxSamples;
    this.#stepEnd += created * workPerSeries;
  }

  get metadata(): readonly MetricMetadata[] {
    return [...this.#metadata];
  }

  get leftOut(): readonly LeftOutPoints[] {
    return [...this.#leftOut.values()];
  }

  /** Samples, and what else costs as much as one. */
  get seen(): number {
    return this.#seen;
  }

  /** Counts what is about to be read; a body that has too much of it ends here. */
  see(count: number): void {
    this.#seen += count;
    if (this.#seen <= this.#maxSamples) return;
    throw tellTooManySamples(this.#maxSamples);
  }

  /** Whether a step's work was done since it last said so. */
  isStepOver(created: number): boolean {
    const work = this.items.length + this.exemplars.length + this.#leftOutTimes + created * workPerSeries;
    if (work < this.#stepEnd) return false;
    this.#stepEnd = work + samplesPerStep;
    return true;
  }

  leaveOut(what: LeftOutPoints['what'], reason: string, count = 1): void {
    if (count <= 0) return;
    this.#leftOutTimes++;
    const key = `${what} ${reason}`;
    const isFull = this.#leftOut.size >= maxReasons;
    const known = this.#leftOut.get(key) ?? (isFull ? [...this.#leftOut.values()].at(-1) : undefined);
    if (known !== undefined) known.count += count;
    else this.#leftOut.set(key, { what, reason, count });
  }

  /** Begins a data point that is taken; its samples follow. */
  takePoint(metric: KnownMetric, timestampMs: number): void {
    this.#metadata.add(metric.metadata);
    this.pointTimesMs.push(timestampMs);
    if (timestampMs < this.#earliestMs) this.#earliestMs = timestampMs;
    if (timestampMs > this.#latestMs) this.#latestMs = timestampMs;
  }

  takeSample(series: Series, value: number, { timestampMs, isStale }: PointTime): void {
    const sample: Sample = { timestampMs, value: isStale ? Number.NaN : value, isStale };
    this.items.push({ series, samples: [sample] });
  }

  takeExemplar(series: Series, exemplar: ReadExemplar): void {
    this.exemplars.push({ series, ...exemplar });
  }

  /** Ends a resource: `target_info` has its attributes for the time of its data points. */
  endResource({ target }: KnownResource): void {
    const latestMs = this.#latestMs;
    if (target !== undefined && latestMs >= this.#earliestMs) {
      const samples: Sample[] = [];
      const firstMs = Math.max(this.#earliestMs, latestMs - targetIntervalMs * (maxTargetSamples - 1));
      for (let timestampMs = firstMs; timestampMs < latestMs; timestampMs += targetIntervalMs)
        samples.push({ timestampMs, value: 1, isStale: false });
      samples.push({ timestampMs: latestMs, value: 1, isStale: false });
      this.see(samples.length);
      this.items.push({ series: target, samples });
      this.#metadata.add(targetMetadata);
    }
    this.#earliestMs = Number.POSITIVE_INFINITY;
    this.#latestMs = Number.NEGATIVE_INFINITY;
  }
}
