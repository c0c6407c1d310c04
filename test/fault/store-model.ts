/** A naive store: arrays, and every question answered by looking at all of them. What a real store says must be what this one says. */
import type { LogRecord } from '../../src/model/log-record.ts';
import { createSeries, labelValue, type Sample, type SeriesSamples } from '../../src/model/sample.ts';
import type { LabelMatcher } from '../../src/store/readers/label-matcher.ts';
import type { LogSelection } from '../../src/store/readers/logs.ts';
import type { SampleSelection } from '../../src/store/readers/samples.ts';
import { createMemorySource } from '../fixtures/memory-samples.ts';
import { expectedEdges } from '../fixtures/random-traces.ts';
import type { SentSpan } from './store-rows.ts';

/** Text that is the same for the same content, whatever the order of keys; numbers that JSON does not know are told apart. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part === 'bigint') return `${part}n`;
    if (typeof part === 'number' && !(Number.isFinite(part) && !Object.is(part, -0))) {
      return Object.is(part, -0) ? '-0' : String(part);
    }
    if (typeof part !== 'object' || part === null || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

/** Of two samples with one stamp the larger counts, any number goes before NaN, and NaN before the mark of a series' end. */
function rankOf({ value, isStale }: Sample): readonly [number, number] {
  if (isStale) return [0, 0];
  return Number.isNaN(value) ? [1, 0] : [2, value];
}

function isLarger(a: Sample, b: Sample): boolean {
  const [kindA, valueA] = rankOf(a);
  const [kindB, valueB] = rankOf(b);
  if (kindA !== kindB) return kindA > kindB;
  return valueA === valueB ? Object.is(valueB, -0) && !Object.is(valueA, -0) : valueA > valueB;
}

interface ModelSeries {
  readonly series: SeriesSamples['series'];
  readonly byStamp: Map<number, Sample>;
}

/** Nodes and edges of the mesh as texts, one a line. */
export interface ModelTopology {
  readonly nodes: readonly string[];
  readonly edges: readonly string[];
}

const minuteOf = (us: number): number => Math.floor(us / 60_000_000) * 60;

export function createStoreModel() {
  let spans: SentSpan[] = [];
  let series = new Map<string, ModelSeries>();
  let logs: LogRecord[] = [];

  const takesLine = (record: LogRecord, { name, op, value }: LabelMatcher): boolean => {
    const { namespace, pod, container, service } = record.resource;
    const labels: Record<string, string> = {
      namespace,
      pod,
      container,
      service,
      service_name: service,
      stream: record.stream,
    };
    const found = labels[name] ?? '';
    if (op === '=') return found === value;
    if (op === '!=') return found !== value;
    return new RegExp(`^(?:${value})$`, 'su').test(found) === (op === '=~');
  };

  return {
    addSpans: (added: readonly SentSpan[]) => void spans.push(...added),
    addLogs: (added: readonly LogRecord[]) => void logs.push(...added),
    addSamples(added: readonly SeriesSamples[]): void {
      for (const item of added) {
        const key = JSON.stringify(item.series.labels);
        const known = series.get(key) ?? { series: createSeries(item.series.labels), byStamp: new Map() };
        series.set(key, known);
        for (const sample of item.samples) {
          const before = known.byStamp.get(sample.timestampMs);
          if (before === undefined || isLarger(sample, before)) known.byStamp.set(sample.timestampMs, sample);
        }
      }
    },

    /** Forgets everything of a signal that happened at a time of which `isGone` says so. */
    forget(signal: 'spans' | 'samples' | 'logs', isGone: (atMs: number) => boolean): void {
      if (signal === 'spans') spans = spans.filter(({ linked }) => !isGone(linked.tsUs / 1000));
      if (signal === 'logs') logs = logs.filter(({ timeNs }) => !isGone(Number(timeNs / 1_000_000n)));
      if (signal !== 'samples') return;
      for (const { byStamp } of series.values()) {
        for (const atMs of byStamp.keys()) if (isGone(atMs)) byStamp.delete(atMs);
      }
      series = new Map([...series].filter(([, { byStamp }]) => byStamp.size > 0));
    },

    spans: () => spans,
    logs: () => logs,
    trace: (traceId: string) => spans.filter(({ linked }) => linked.traceId === traceId),
    services: () => [...new Set(spans.flatMap(({ span }) => span.localEndpoint?.serviceName ?? []))].sort(),

    async samples(selection: SampleSelection): Promise<readonly string[]> {
      const stored = [...series.values()].map(({ series: one, byStamp }) => ({
        series: one,
        samples: [...byStamp.values()].sort((a, b) => a.timestampMs - b.timestampMs),
      }));
      const found = await createMemorySource(stored).select(selection, AbortSignal.timeout(10_000));
      return found.map(describePoints).sort();
    },

    lines({ matchers, contains, startNs, endNs, direction, limit }: LogSelection): readonly string[] {
      const found = logs
        .map((record, arrival) => ({ record, arrival }))
        .filter(
          ({ record }) =>
            record.timeNs >= startNs &&
            record.timeNs < endNs &&
            matchers.every((matcher) => takesLine(record, matcher)) &&
            contains.every((text) => record.body.includes(text)),
        )
        .sort((a, b) =>
          a.record.timeNs === b.record.timeNs ? a.arrival - b.arrival : a.record.timeNs < b.record.timeNs ? -1 : 1,
        );
      if (direction === 'backward') found.reverse();
      return found.slice(0, limit).map(({ record: { timeNs, body, stream, resource } }) =>
        canonical({
          timeNs,
          body,
          stream,
          namespace: resource.namespace,
          pod: resource.pod,
          container: resource.container,
          service: resource.service,
        }),
      );
    },

    /** Over whole minutes, `from` inclusive and `to` exclusive, in seconds. */
    topology(from: number, to: number): ModelTopology {
      const nodes = new Map<string, { spans: number; requests: number; errors: number }>();
      const nodeOf = (service: string) => {
        const node = nodes.get(service) ?? { spans: 0, requests: 0, errors: 0 };
        nodes.set(service, node);
        return node;
      };
      for (const { linked } of spans) {
        const minute = minuteOf(linked.tsUs);
        if (minute < from || minute >= to || linked.localService === '') continue;
        const node = nodeOf(linked.localService);
        const isServed = linked.kind === 'SERVER' || linked.kind === 'CONSUMER';
        node.spans++;
        node.requests += isServed ? 1 : 0;
        node.errors += isServed && linked.hasError ? 1 : 0;
      }
      const edges = new Map<string, { requests: number; errors: number }>();
      for (const [key, counts] of expectedEdges(spans.map(({ linked }) => linked))) {
        const [minute = '', caller = '', callee = ''] = key.split(' ');
        // Jaeger's parents stand beside the linker's calls, which alone make the topology.
        if (minute === 'jaeger') continue;
        if (Number(minute) < from || Number(minute) >= to) continue;
        nodeOf(caller);
        nodeOf(callee);
        const edge = edges.get(`${caller} ${callee}`) ?? { requests: 0, errors: 0 };
        edges.set(`${caller} ${callee}`, {
          requests: edge.requests + counts.requests,
          errors: edge.errors + counts.errors,
        });
      }
      return {
        nodes: [...nodes].map(([name, node]) => `${name} ${node.spans} ${node.requests} ${node.errors}`).sort(),
        edges: [...edges].map(([name, edge]) => `${name} ${edge.requests} ${edge.errors}`).sort(),
      };
    },
    labelValues: (name: string) => [...new Set([...series.values()].map((one) => labelValue(one.series, name)))],
  };
}

export type StoreModel = ReturnType<typeof createStoreModel>;

/** A series' samples as text. */
export function describePoints(points: {
  readonly labels: readonly (readonly [string, string])[];
  readonly timestampsMs: Float64Array;
  readonly values: Float64Array;
  readonly staleAt: Uint8Array | undefined;
}): string {
  const samples = Array.from(points.timestampsMs, (atMs, i) => [
    atMs,
    points.staleAt?.[i] === 1 ? 'stale' : canonical(points.values[i]),
  ]);
  return canonical([points.labels, samples]);
}
