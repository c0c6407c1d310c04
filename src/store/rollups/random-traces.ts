/** Traces for tests: small, strange, and the same for the same seed. */
import type { SpanKind } from '../../model/span.ts';
import { spanKinds } from '../../model/span.ts';
import type { StoreClient } from '../client.ts';
import { type LinkerSpan, linkTrace } from './linker.ts';
import type { EdgeCounts } from './long-traces.ts';

/** A row of `spans`, as far as roll-ups look at it. */
export interface TestSpan extends LinkerSpan {
  /** 32 hex digits. */
  readonly traceId: string;
  readonly tsUs: number;
  readonly durationUs: number;
  readonly operation: string;
}

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const hex = (random: () => number, digits: number) =>
  Array.from({ length: digits / 4 }, () =>
    Math.floor(random() * 65_536)
      .toString(16)
      .padStart(4, '0'),
  ).join('');

const services = ['productpage', 'reviews', 'ratings', 'details', 'mongo'];

/** One trace near `startUs`: mostly a tree of calls, sometimes with halves that share an id, orphans, spans sent twice, and spans minutes away. */
export function randomTrace(random: () => number, startUs: number, size: number): TestSpan[] {
  const pick = <T>(values: readonly T[]): T | undefined => values[Math.floor(random() * values.length)];
  const low = hex(random, 16);
  const spans: TestSpan[] = [];
  while (spans.length < size) {
    const parent = random() < 0.9 ? pick(spans) : undefined;
    const base = parent?.tsUs ?? startUs;
    const localService = random() < 0.9 ? (pick(services) ?? '') : '';
    const isFar = random() < 0.05;
    const kind: SpanKind | undefined =
      random() < 0.8 ? spanKinds[random() < 0.85 ? Math.floor(random() * 2) : 2 + Math.floor(random() * 2)] : undefined;
    const sharesId =
      parent?.kind === 'CLIENT' &&
      !parent.shared &&
      kind === 'SERVER' &&
      random() < 0.5 &&
      !spans.some((s) => s.id === parent.id && s !== parent);
    const span: TestSpan = {
      // Senders of one trace disagree about the upper half.
      traceId: `${random() < 0.9 ? '0'.repeat(16) : hex(random, 16)}${low}`,
      id: sharesId ? parent.id : hex(random, 16).toUpperCase(),
      parentId: sharesId
        ? random() < 0.5
          ? parent.parentId
          : undefined
        : random() < 0.05
          ? hex(random, 16).toUpperCase()
          : parent?.id,
      kind,
      shared: sharesId
        ? random() < 0.8 || localService === parent.localService || localService === '' || parent.localService === ''
        : random() < 0.03,
      hasError: random() < 0.2,
      localService,
      localIpv4: localService === '' ? '' : String(10 + services.indexOf(localService)),
      localIpv6: '',
      localPort: 0,
      remoteService: random() < 0.5 ? (pick(services) ?? '') : '',
      tsUs: base + Math.floor(random() * (isFar ? 150_000_000 : 4_000_000)) - (isFar ? 60_000_000 : 0),
      durationUs: Math.floor(2 ** (random() * 24)) - 1,
      operation: `GET /${Math.floor(random() * 3)}`,
    };
    spans.push(span);
    if (random() < 0.05 && spans.length < size) spans.push(span);
  }
  return spans;
}

let insertions = 0;

/** Inserts spans as segment `seg`. */
export async function insertTestSpans(client: StoreClient, spans: readonly TestSpan[], seg: number): Promise<void> {
  const rows = spans.map((span) => {
    const kind = span.kind === undefined ? 0 : spanKinds.indexOf(span.kind) + 1;
    const upper = (name: string) => `'${name.slice(0, 1).toUpperCase()}${name.slice(1)}'`;
    return `(unhex('${span.traceId}'),${BigInt(`0x${span.id}`)},${BigInt(`0x${span.parentId ?? 0}`)},${(span.tsUs / 1e6).toFixed(6)},${span.durationUs},${kind},${span.shared ? 1 : 0},${span.hasError ? 2 : 0},'${span.operation}',${upper(span.localService)},${span.localIpv4 || 0},${upper(span.remoteService)},${seg})`;
  });
  for (let start = 0; start < rows.length; start += 1000) {
    await client.command({
      sql: `INSERT INTO spans (trace_id, id, parent_id, ts, duration_us, kind, flags, status, name, local_service, local_ipv4, remote_service, seg)
        SETTINGS insert_deduplication_token = 'test-${insertions++}' VALUES ${rows.slice(start, start + 1000).join()}`,
      signal: AbortSignal.timeout(10_000),
    });
  }
}

const minuteOf = (span: TestSpan) => Math.floor(span.tsUs / 60_000_000) * 60;

/** Requests and errors by minute, caller and callee, as the linker counts them with a minute's view to either side. */
export function expectedEdges(spans: readonly TestSpan[]): Map<string, Pick<EdgeCounts, 'requests' | 'errors'>> {
  const edges = new Map<string, { requests: number; errors: number }>();
  const traces = new Map<string, TestSpan[]>();
  for (const span of spans) {
    const key = span.traceId.slice(16);
    const trace = traces.get(key);
    if (trace === undefined) traces.set(key, [span]);
    else trace.push(span);
  }
  for (const trace of traces.values()) {
    for (const target of new Set(trace.map(minuteOf))) {
      const near = trace.filter((span) => Math.abs(minuteOf(span) - target) <= 60);
      for (const { caller, callee, isError, span } of linkTrace(near)) {
        if (minuteOf(span) !== target) continue;
        const key = `${target} ${caller} ${callee}`;
        const edge = edges.get(key) ?? { requests: 0, errors: 0 };
        edges.set(key, { requests: edge.requests + 1, errors: edge.errors + (isError ? 1 : 0) });
      }
    }
  }
  return edges;
}
