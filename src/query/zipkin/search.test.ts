/** Zipkin's search over a real store, held against its own test of a whole trace. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../../../test/fixtures/random.ts';
import { insertSpans, randomSearchTraces } from '../../../test/fixtures/search-spans.ts';
import { startTestStore, type TestStore } from '../../../test/fixtures/test-store.ts';
import { encodeSpans } from '../../codec/zipkin-v2-json/encode-spans.ts';
import type { Span } from '../../model/span.ts';
import { defaultReadLimits } from '../../store/readers/limits.ts';
import { createSearchGate } from '../search-gate.ts';
import { answerTraces } from './search.ts';
import { createZipkinSource } from './source.ts';
import { parseAnnotationQuery } from './trace-query.ts';

const nowMs = 1_795_262_400_000;
const hourMs = 3_600_000;
const seed = Number(process.env['SEED'] ?? 7);
const rounds = Number(process.env['ROUNDS'] ?? 25);
const random = createRandom(seed);
const traces = randomSearchTraces(random, 700, { endUs: nowMs * 1000, lengthUs: 5 * hourMs * 1000 });
let store: TestStore;

beforeAll(async () => {
  store = await startTestStore();
  const spans = traces.flat();
  for (let at = 0; at < spans.length; at += 900) await insertSpans(store.client, spans.slice(at, at + 900), nowMs);
}, 60_000);

afterAll(() => store.stop());

interface ZipkinJson {
  readonly traceId: string;
  readonly parentId?: string;
  readonly timestamp?: number;
  readonly duration?: number;
  readonly name?: string;
  readonly localEndpoint?: { readonly serviceName?: string };
  readonly remoteEndpoint?: { readonly serviceName?: string };
  readonly annotations?: readonly { readonly value: string }[];
  readonly tags?: Readonly<Record<string, string>>;
}

/** In the order of the answers: by time, then id. */
const asJson = (trace: readonly Span[]): ZipkinJson[] => {
  const byTime = (a: Span, b: Span) => (a.startUs ?? 0) - (b.startUs ?? 0) || (a.id < b.id ? -1 : 1);
  return JSON.parse(encodeSpans([...trace].sort(byTime)));
};

/** QueryRequest.test, said over the JSON that a client sees. */
function isAskedFor(trace: readonly ZipkinJson[], asked: Readonly<Record<string, string>>): boolean {
  const times = trace.filter(({ timestamp }) => timestamp !== undefined);
  const root = times.find(({ parentId }) => parentId === undefined);
  const timeUs = root?.timestamp ?? Math.min(...times.map(({ timestamp = 0 }) => timestamp));
  const endMs = Number(asked['endTs'] ?? nowMs);
  if (timeUs > endMs * 1000 || timeUs < (endMs - Number(asked['lookback'] ?? 24 * hourMs)) * 1000) return false;
  const service = asked['serviceName']?.toLowerCase();
  const spans = trace.filter((span) => service === undefined || span.localEndpoint?.serviceName === service);
  const some = (name: string, test: (span: ZipkinJson, value: string) => boolean) => {
    const value = asked[name];
    return value === undefined || spans.some((span) => test(span, value));
  };
  return (
    spans.length > 0 &&
    some('remoteServiceName', (span, name) => span.remoteEndpoint?.serviceName === name.toLowerCase()) &&
    some('spanName', (span, name) => span.name === name.toLowerCase()) &&
    some(
      'minDuration',
      ({ duration = 0 }, us) => duration >= Number(us) && duration <= Number(asked['maxDuration'] ?? 1e18),
    ) &&
    [...parseAnnotationQuery(asked['annotationQuery'] ?? '')].every(([key, value]) =>
      spans.some(({ tags = {}, annotations = [] }) =>
        value === ''
          ? key in tags || annotations.some((each) => each.value === key || each.value.startsWith(`"${key}": {`))
          : tags[key] === value,
      ),
    )
  );
}

const words = [
  'http.method=GET',
  'error',
  'error=500',
  'lib',
  'ws',
  'http.url=a=b',
  'retry',
  'otel.status_code=ERROR',
  'w3c.tracestate',
  "a b=quo'te\\",
  'guid:x-request-id',
  'guid:x-request-id=8f1d3c1e-0b5a-4c07-8d7e-0123456789ab',
];

function randomQuery(): Record<string, string> {
  const pick = <T>(values: readonly T[]) => values[Math.floor(random() * values.length)] ?? values[0];
  const query: Record<string, string> = { limit: '100000' };
  if (random() < 0.6) query['serviceName'] = pick(['web', 'WEB', "it's", 'ŽLUŤ', 'db']) ?? '';
  if (random() < 0.3) query['remoteServiceName'] = pick(['api', 'Db']) ?? '';
  if (random() < 0.4) query['spanName'] = pick(['GET /', 'load']) ?? '';
  if (random() < 0.4) query['minDuration'] = String(Math.ceil(2 ** (random() * 16)));
  if (query['minDuration'] !== undefined && random() < 0.4)
    query['maxDuration'] = String(Number(query['minDuration']) * 9);
  if (random() < 0.6)
    query['annotationQuery'] = random() < 0.5 ? String(pick(words)) : `${pick(words)} and ${pick(words)}`;
  if (random() < 0.5) query['endTs'] = String(nowMs - Math.floor(random() * 2 * hourMs));
  if (random() < 0.5) query['lookback'] = String(1 + Math.floor(random() * 3 * hourMs));
  return query;
}

async function search(query: Readonly<Record<string, string>>): Promise<ZipkinJson[][]> {
  const searches = createSearchGate({ atOnce: 2, waiting: 2 });
  const source = createZipkinSource({ client: store.client, limits: defaultReadLimits, searches, nowMs: () => nowMs });
  const response = await answerTraces(
    { traces: source, nowMs: () => nowMs },
    { params: {}, query: new URLSearchParams(query), form: undefined, signal: AbortSignal.timeout(20_000) },
  );
  expect(response.status).toBe(200);
  return JSON.parse(String(response.body));
}

/** A span of a trace that is more than a minute outside the window does not lead to it, where no other one does. */
const isReached = (trace: readonly ZipkinJson[]) => {
  const times = trace.map(({ timestamp = 0 }) => timestamp);
  return Math.max(...times) - Math.min(...times) < 60_000_000;
};

describe('annotationQuery', () => {
  it('asks for a tag without a key where Zipkin does, and for nothing where it is blank', () => {
    expect([...parseAnnotationQuery('=x')]).toEqual([['', 'x']]);
    expect([...parseAnnotationQuery(' and  and error=')]).toEqual([['error', '']]);
  });
});

describe(`GET /api/v2/traces over a store (seed ${seed})`, () => {
  it('finds exactly the traces that Zipkin’s own test takes, whole', async () => {
    const all = traces.map(asJson);
    const sorted = (list: readonly (readonly ZipkinJson[])[]) => list.map((trace) => JSON.stringify(trace)).sort();
    let matches = 0;
    for (let round = 0; round < rounds; round++) {
      const query = randomQuery();
      const found = await search(query);
      const wanted = all.filter((trace) => isAskedFor(trace, query));
      matches += wanted.length;
      const what = `round ${round}: ${new URLSearchParams(query)}`;
      for (const trace of found) expect(isAskedFor(trace, query), what).toBe(true);
      expect(sorted(found.filter(isReached)), what).toEqual(sorted(wanted.filter(isReached)));
    }
    expect(matches).toBeGreaterThan(2 * rounds);
  }, 60_000);

  it('gives the most recent ones where there are more than the limit', async () => {
    // A span may lie a minute ahead of its trace's time.
    const newest = (trace: readonly ZipkinJson[]) => {
      const lastUs = nowMs * 1000 + 60_000_000;
      const times = trace
        .filter((span) => span.localEndpoint?.serviceName === 'db')
        .map(({ timestamp = 0 }) => timestamp);
      return Math.max(...times.filter((us) => us <= lastUs));
    };
    const wanted = traces
      .map(asJson)
      .filter((trace) => isAskedFor(trace, { serviceName: 'db' }))
      .sort((a, b) => newest(b) - newest(a));
    for (const limit of [1, 7, 40]) {
      const found = await search({ serviceName: 'db', limit: String(limit) });
      expect(found.map(([span]) => span?.traceId)).toEqual(wanted.slice(0, limit).map(([span]) => span?.traceId));
    }
  });
});
