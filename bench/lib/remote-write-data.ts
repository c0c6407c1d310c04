/** Series and bodies for `bench/remote-write.ts`: 12 labels a series; 70 % integer counters, 20 % noisy figures of three decimals, 10 % constants. */
import { createRequire } from 'node:module';
import { createRandom } from '../../test/fixtures/random.ts';

const require = createRequire(import.meta.url);
const snappy: { compress(bytes: Uint8Array): Uint8Array } = require('snappyjs');

export interface WriteData {
  readonly seriesCount: number;
  /**
   * The next compressed body of a lane, of `count` series with `samples` values each. A lane has its own share of the series and goes through
   * it step by step, as a shard of Prometheus does, so that a series' values are sent in order however many lanes there are.
   */
  body(lane: number, options: { readonly count: number; readonly samples: number }): Buffer;
}

const stepMs = 15_000;
const methods = ['GET', 'POST', 'PUT', 'DELETE'];
const codes = ['200', '201', '301', '404', '500', '503'];

/** The labels of the `i`th series, sorted by name. */
export function labelsOfSeries(i: number): readonly (readonly [string, string])[] {
  const metric = i % 50;
  const pod = Math.floor(i / 50);
  return [
    ['__name__', `bench_service_requests_${metric}_total`],
    ['cluster', 'production-eu-west-1'],
    ['code', codes[i % codes.length] ?? ''],
    ['container', 'application'],
    ['handler', `/api/v1/resources/${metric % 17}`],
    ['instance', `10.0.${pod % 250}.${pod % 199}:9090`],
    ['job', `kubernetes-pods-${pod % 20}`],
    ['method', methods[i % methods.length] ?? ''],
    ['namespace', `team-${pod % 12}`],
    ['pod', `service-${pod % 40}-7d9f8b6c5d-${pod.toString(36).padStart(5, 'x')}`],
    ['service', `service-${pod % 40}`],
    ['zone', `eu-west-1${'abc'[pod % 3]}`],
  ];
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  bytes.push(rest);
  return Buffer.from(bytes);
}

function text(tag: number, value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([tag]), varint(bytes.length), bytes]);
}

function encodeLabels(labels: readonly (readonly [string, string])[]): Buffer {
  const parts = labels.map(([name, value]) => {
    const label = Buffer.concat([text(0x0a, name), text(0x12, value)]);
    return Buffer.concat([Buffer.from([0x0a]), varint(label.length), label]);
  });
  return Buffer.concat(parts);
}

/** Makes the data of `seriesCount` series whose first value is at `startMs`; `name` makes them other series. */
export function createWriteData(options: {
  readonly seriesCount: number;
  readonly startMs: number;
  readonly lanes: number;
  readonly name: string;
}): WriteData {
  const { seriesCount, startMs, lanes, name } = options;
  const random = createRandom(7);
  const labels = Array.from({ length: seriesCount }, (_, i) =>
    encodeLabels(labelsOfSeries(i).map(([key, value]) => [key, key === 'cluster' ? `${value}${name}` : value])),
  );
  const current = Float64Array.from({ length: seriesCount }, () => Math.floor(random() * 1e6));
  const rates = Float64Array.from({ length: seriesCount }, () => 1 + Math.floor(random() * 200));
  const sent = new Float64Array(lanes);
  const next = (i: number): number => {
    const before = current[i] ?? 0;
    if (i % 10 < 7) current[i] = before + Math.floor(random() * (rates[i] ?? 1));
    else if (i % 10 < 9) return Number((before / 1000 + (random() + random() - 1) * 25).toFixed(3));
    return current[i] ?? 0;
  };
  return {
    seriesCount,
    body(lane, { count, samples }) {
      const parts: Buffer[] = [];
      const lo = Math.floor((lane * seriesCount) / lanes);
      const size = Math.floor(((lane + 1) * seriesCount) / lanes) - lo;
      for (let n = 0; n < count; n++) {
        const at = sent[lane] ?? 0;
        sent[lane] = at + 1;
        const i = lo + (at % size);
        const step = Math.floor(at / size) * samples;
        const own = labels[i] ?? Buffer.alloc(0);
        const points: Buffer[] = [];
        for (let s = 0; s < samples; s++) {
          const sample = Buffer.alloc(9);
          sample[0] = 0x09;
          sample.writeDoubleLE(next(i), 1);
          const all = Buffer.concat([sample, Buffer.from([0x10]), varint(startMs + (step + s) * stepMs)]);
          points.push(Buffer.from([0x12]), varint(all.length), all);
        }
        const series = Buffer.concat([own, ...points]);
        parts.push(Buffer.from([0x0a]), varint(series.length), series);
      }
      return Buffer.from(snappy.compress(Buffer.concat(parts)));
    },
  };
}
