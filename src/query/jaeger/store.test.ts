/** Jaeger's searches over a real store: what they find is what is found by looking at every trace. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createMemoryTraces } from '../../../test/fixtures/memory-traces.ts';
import { createRandom } from '../../../test/fixtures/random.ts';
import { insertSpans, randomSearchTraces } from '../../../test/fixtures/search-spans.ts';
import { startTestStore, type TestStore } from '../../../test/fixtures/test-store.ts';
import type { Span } from '../../model/span.ts';
import { defaultReadLimits } from '../../store/readers/limits.ts';
import { createSearchGate } from '../search-gate.ts';
import { toOtlpTrace } from './otlp-trace.ts';
import type { SpanQuery } from './search-parameters.ts';
import type { JaegerApiOptions, JaegerSource } from './source.ts';
import { createJaegerSource } from './store-source.ts';
import { findTraces } from './traces.ts';

const seed = 20_261_121;
const nowMs = Date.parse('2026-11-21T12:00:00Z');
const nowUs = nowMs * 1000;
const hourUs = 3_600_000_000;

/** As they come out of the decoders: an OpenTelemetry span's service is its resource's, and a Zipkin span with a tag `error` is one. */
function asDecoded(span: Span): Span {
  const name = span.localEndpoint?.serviceName;
  if (span.details === undefined) return Object.hasOwn(span.attributes, 'error') ? { ...span, status: 'error' } : span;
  const { 'service.name': _, ...attributes } = span.resource.attributes;
  const resource = {
    ...span.resource,
    attributes: name === undefined ? attributes : { ...attributes, 'service.name': name },
  };
  return { ...span, resource, details: { ...span.details, endNs: undefined } };
}

let store: TestStore;
let spans: readonly Span[];

beforeAll(async () => {
  store = await startTestStore();
  spans = randomSearchTraces(createRandom(seed), 400, { endUs: nowUs, lengthUs: 6 * hourUs })
    .flat()
    .map(asDecoded);
  await insertSpans(store.client, spans, nowMs);
}, 60_000);

afterAll(() => store.stop());

const random = createRandom(seed + 1);
const pick = <T>(values: readonly [T, ...T[]]): T => values[Math.floor(random() * values.length)] ?? values[0];
const chance = (share: number): boolean => random() < share;

function randomQuery(): SpanQuery {
  const endNs = BigInt(nowUs - Math.floor(random() * hourUs)) * 1000n;
  const minDurationNs = chance(0.3) ? BigInt(Math.floor(2 ** (random() * 28))) : 0n;
  const tags = new Map<string, string>();
  for (let i = Math.floor(random() * 3); i > 0; i--) {
    const [key, values] = pick<readonly [string, readonly [string, ...string[]]]>([
      ['http.method', ['GET', '500', '']],
      ['guid:x-request-id', ['8f1d3c1e-0b5a-4c07-8d7e-0123456789ab', 'GET']],
      ['resource.lib', ['', 'a=b', 'GET']],
      ['lib', ['', "quo'te\\", '500']],
      ['error', ['true', 'false', 'GET']],
      ['span.kind', ['server', 'CLIENT', 'internal', 'none']],
      ['span.status', ['ok', 'ERROR', 'unset']],
      ['scope.name', ['', 'a']],
      ['scope.version', ['', 'a=b']],
      ['service.name', ['web', 'db', 'missing-service-name']],
      ['peer.service', ['api', "it's"]],
      ['a', ['a', '200', 'true']],
    ]);
    tags.set(key, pick(values));
  }
  return {
    service: pick(['', '', 'web', 'Web', "it's", 'žluť', 'missing-service-name', 'nobody']),
    operation: pick(['', '', 'get /', 'load', 'empty-span-name']),
    startNs: endNs - BigInt(Math.floor(random() * 3 * hourUs)) * 1000n,
    endNs,
    minDurationNs,
    maxDurationNs: chance(0.2) ? minDurationNs + BigInt(Math.floor(random() * 1e9)) + 1n : 0n,
    tags,
  };
}

async function idsFound(source: JaegerSource, query: SpanQuery, limit: number): Promise<string[]> {
  const options: JaegerApiOptions = {
    source,
    searches: createSearchGate({ atOnce: 4, waiting: 4 }),
    freshen: () => Promise.resolve(),
    isCurrent: () => true,
    nowMs: () => nowMs,
  };
  const { traces, incomplete } = await findTraces(options, { query, limit, isRaw: true }, AbortSignal.timeout(10_000));
  expect(incomplete).toBeUndefined();
  return traces.map((trace) => trace[0]?.scopeSpans[0]?.spans[0]?.traceId ?? '');
}

describe(`searches over a store (seed ${seed})`, () => {
  const overStore = (): JaegerSource =>
    createJaegerSource({
      client: store.client,
      limits: defaultReadLimits,
      nowMs: () => nowMs,
    });

  it('find what is found by looking at every trace', async () => {
    const inMemory = createMemoryTraces(spans);
    let found = 0;
    for (let i = 0; i < 60; i++) {
      const query = randomQuery();
      const all = (await idsFound(inMemory, query, 500)).sort();
      found += all.length;
      const shown = JSON.stringify({ ...query, tags: [...query.tags] }, (_, value) =>
        typeof value === 'bigint' ? `${value}` : value,
      );
      expect((await idsFound(overStore(), query, 500)).sort(), `query ${i}: ${shown}`).toEqual(all);
      expect(await idsFound(overStore(), query, 3), `query ${i}, at most 3`).toHaveLength(Math.min(3, all.length));
    }
    expect(found).toBeGreaterThan(500);
  }, 60_000);

  it('give whole traces, as they lie in the store', async () => {
    const [first] = spans;
    const id = first?.traceId ?? '';
    const whole = spans.filter(({ traceId }) => traceId === id);
    const read = await overStore().traceById(id, AbortSignal.timeout(10_000));
    const idsOf = (trace: readonly Span[]) =>
      toOtlpTrace(trace).flatMap(({ scopeSpans }) =>
        scopeSpans.flatMap((scope) => scope.spans.map(({ spanId }) => spanId)),
      );
    expect(idsOf(read).sort()).toEqual(idsOf(whole).sort());
  });

  it('list names as they are spelled, and what only one spelling of a service does', async () => {
    const signal = AbortSignal.timeout(10_000);
    const inMemory = createMemoryTraces(spans);
    expect([...(await overStore().serviceNames(signal))].sort()).toEqual(
      [...(await inMemory.serviceNames(signal))].sort(),
    );
    for (const service of ['web', 'Web', 'WEB']) {
      const text = (operations: readonly object[]) => operations.map((operation) => JSON.stringify(operation)).sort();
      expect(text(await overStore().operationsOf(service, signal))).toEqual(
        text(await inMemory.operationsOf(service, signal)),
      );
    }
  });
});
