/** Small, strange batches of every signal for the property test of the store: the same for the same seed. */
import type { LogRecord } from '../../src/model/log-record.ts';
import { emptyResource } from '../../src/model/resource.ts';
import { createSeries, type Sample, type Series, type SeriesSamples } from '../../src/model/sample.ts';
import type { Endpoint, Span } from '../../src/model/span.ts';
import { randomTrace, type TestSpan } from '../fixtures/random-traces.ts';

export type Random = () => number;

export const pickOf = <T>(random: Random, values: readonly [T, ...T[]]): T =>
  values[Math.floor(random() * values.length)] ?? values[0];

export const below = (random: Random, bound: number): number => Math.floor(random() * bound);

const minuteMs = 60_000;
const dayMs = 86_400_000;

/** When things happen, around `nowMs`: now, some minutes ago, at midnight, on the days before; with `isOldToo` also six days ago. */
export function randomTimeMs(random: Random, nowMs: number, isOldToo: boolean): number {
  const midnightMs = Math.floor(nowMs / dayMs) * dayMs;
  const draw = random();
  if (draw < 0.5) return nowMs - below(random, 10 * minuteMs);
  if (draw < 0.7) return nowMs - 2 * 3_600_000 - below(random, 5 * minuteMs);
  if (draw < 0.8) return midnightMs - minuteMs + below(random, 2 * minuteMs);
  if (draw < 0.93 || !isOldToo) return nowMs - dayMs - below(random, 3 * minuteMs);
  return midnightMs - 6 * dayMs + 3_600_000 + below(random, minuteMs);
}

/** A span as the linker sees it, and as the store is given it. */
export interface SentSpan {
  readonly linked: TestSpan;
  readonly span: Span;
}

const endpoint = (serviceName: string, ipv4Number: string): Endpoint | undefined =>
  serviceName === '' && ipv4Number === ''
    ? undefined
    : {
        serviceName: serviceName === '' ? undefined : serviceName,
        ipv4: ipv4Number === '' ? undefined : `0.0.0.${ipv4Number}`,
        ipv6: undefined,
        port: undefined,
      };

const capital = (name: string): string => `${name.slice(0, 1).toUpperCase()}${name.slice(1)}`;

const values = ['', 'GET', 'ä=b\u0000c', '😀'.repeat(9), "it's \\ {x:String}", 'x'.repeat(400)] as const;

function randomAttributes(random: Random, number: number): Record<string, string> {
  const attributes: Record<string, string> = { note: `n${number}` };
  if (random() < 0.5) attributes['http.method'] = pickOf(random, values);
  if (random() < 0.3) attributes[`key ${below(random, 4)}`] = pickOf(random, values);
  if (random() < 0.3) {
    const id = Array.from({ length: 32 }, () => below(random, 16).toString(16)).join('');
    const parts = [id.slice(0, 8), id.slice(8, 12), id.slice(12, 16), id.slice(16, 20), id.slice(20)];
    attributes['guid:x-request-id'] = random() < 0.8 ? parts.join('-') : 'no uuid';
  }
  return attributes;
}

function toSpan(random: Random, linked: TestSpan, hasNoStart: boolean): Span {
  const startUs = linked.tsUs;
  return {
    traceId: linked.traceId,
    id: linked.id,
    parentId: linked.parentId,
    kind: linked.kind,
    shared: linked.shared,
    debug: random() < 0.1,
    name: linked.operation,
    startUs: hasNoStart ? undefined : startUs,
    durationUs: linked.durationUs === 0 ? undefined : linked.durationUs,
    status: linked.hasError ? 'error' : pickOf(random, ['unset', 'ok']),
    localEndpoint: endpoint(capital(linked.localService), linked.localIpv4),
    remoteEndpoint: endpoint(capital(linked.remoteService), ''),
    events: random() < 0.2 ? [{ timestampUs: startUs + 5, value: pickOf(random, values) }] : [],
    attributes: randomAttributes(random, below(random, 1e6)),
    resource: { ...emptyResource, service: linked.localService, attributes: random() < 0.2 ? { zone: 'ä' } : {} },
  };
}

const lower = (span: TestSpan): TestSpan => ({
  ...span,
  traceId: span.traceId.toLowerCase(),
  id: span.id.toLowerCase(),
  parentId: span.parentId?.toLowerCase(),
});

/** One to three traces; some spans have no start and are filed under `nowMs`. */
export function randomSpans(random: Random, nowMs: number, isOldToo: boolean): SentSpan[] {
  return Array.from({ length: 1 + below(random, 3) }, () => {
    const startUs = Math.min(randomTimeMs(random, nowMs, isOldToo), nowMs) * 1000;
    const trace = randomTrace(random, startUs, 1 + below(random, 12)).map(lower);
    // What is filed under its arrival is found with its trace only if that is of the last minutes.
    const minutes = [nowMs, ...trace.map(({ tsUs }) => tsUs / 1000)].map((ms) => Math.floor(ms / minuteMs));
    const isOfNow = Math.max(...minutes) - Math.min(...minutes) <= 3;
    return trace.map((span) => ({ ...span, hasNoStart: isOfNow && random() < 0.08 }));
  })
    .flat()
    .map((span) => {
      const linked = span.hasNoStart ? { ...span, tsUs: nowMs * 1000 } : span;
      return { linked, span: toSpan(random, linked, span.hasNoStart) };
    });
}

const metrics = ['up', 'requests_total', 'temperature', 'ünïcode_total'] as const;
const pods = ['a', 'b', 'web.1', ''] as const;
const paths = ['/', '/a|b', "/it's", ''] as const;

/** A series of a small pool, a new object each time. */
const randomSeries = (random: Random): Series =>
  createSeries(
    [
      ['__name__', pickOf(random, metrics)],
      ['pod', pickOf(random, pods)],
      ['path', pickOf(random, paths)],
    ],
    random() < 0.5 ? { measurement: 'm', field: 'f' } : undefined,
  );

const specialValues = [0, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 5e-324, 2 ** 53] as const;

function randomSample(random: Random, timestampMs: number): Sample {
  const draw = random();
  if (draw < 0.06) return { timestampMs, value: Number.NaN, isStale: true };
  if (draw < 0.2) return { timestampMs, value: pickOf(random, specialValues), isStale: false };
  return { timestampMs, value: draw < 0.6 ? below(random, 1000) : (random() - 0.5) * 1e6, isStale: false };
}

/** Samples of a few series on a grid of 15 s, so that stamps meet again in later batches; never more than 10 minutes ahead. */
export function randomSamples(random: Random, nowMs: number, isOldToo: boolean): SeriesSamples[] {
  return Array.from({ length: 1 + below(random, 6) }, () => {
    const startMs = Math.floor(randomTimeMs(random, nowMs, isOldToo) / 15_000) * 15_000;
    const count = 1 + below(random, 8);
    const samples = Array.from({ length: count }, (_, i) => randomSample(random, startMs + i * 15_000));
    return { series: randomSeries(random), samples };
  });
}

const words = ['error', 'GET /a%b_c', 'back\\slash', 'Grüße', 'time=3', "o'clock", '', 'ERROR'] as const;

/** Lines of a few pods, some with the same stamp. */
export function randomLogs(random: Random, nowMs: number, isOldToo: boolean): LogRecord[] {
  let timeNs = BigInt(randomTimeMs(random, nowMs, isOldToo)) * 1_000_000n;
  return Array.from({ length: 1 + below(random, 20) }, () => {
    if (random() < 0.7) timeNs += BigInt(below(random, 5_000_000));
    const namespace = pickOf(random, ['default', 'kube-system']);
    return {
      timeNs,
      stream: pickOf(random, ['stdout', 'stderr', '']),
      body: `${pickOf(random, words)} ${pickOf(random, words)} ${below(random, 1e6)}`,
      severity: pickOf(random, ['info', 'error', '']),
      traceId: '',
      spanId: '',
      requestId: '',
      attributes: {},
      resource: { ...emptyResource, namespace, pod: `pod-${below(random, 3)}`, container: 'main', service: 'shop' },
    };
  });
}

/** Texts to look for in lines: whole words, parts of words, and what LIKE would take for patterns. */
export const randomText = (random: Random): string => {
  const word = pickOf(random, words);
  const from = below(random, word.length + 1);
  return random() < 0.5 ? word : word.slice(from, from + 1 + below(random, 4));
};

export const samplePods = pods;
export const sampleMetrics = metrics;
