/** `GET /api/v2/dependencies?endTs&lookback`: who calls whom, as Zipkin's dependency linker counts it. */
import type { DependencyLink } from '../../store/rollups/dependencies.ts';
import { textAnswer } from '../failure.ts';
import type { QueryRequest, QueryResponse } from '../query-route.ts';

/** What the route reads; `readDependencies` of the store, bound to a client. Both ends of the window are inclusive. */
export interface DependencySource {
  dependencies(
    window: { readonly startMs: number; readonly endMs: number },
    signal: AbortSignal,
  ): Promise<readonly DependencyLink[]>;
}

const dayMs = 86_400_000n;

/** A whole number as Java's `Long.parseLong` reads it. */
function readLong(text: string): bigint | undefined {
  const value = /^[+-]?\d{1,40}$/.test(text) ? BigInt(text) : undefined;
  return value !== undefined && BigInt.asIntN(64, value) === value ? value : undefined;
}

type Window =
  | { readonly kind: 'window'; readonly startMs: number; readonly endMs: number }
  | { readonly kind: 'malformed'; readonly message: string };

/** Reads `endTs`, which must be there, and `lookback`, a day unless told. */
export function parseDependencyWindow(query: URLSearchParams): Window {
  const malformed = (message: string): Window => ({ kind: 'malformed', message });
  const given = query.get('endTs');
  if (given === null) return malformed('endTs is missing; give the end of the window in milliseconds since 1970');
  const end = readLong(given);
  if (end === undefined) return malformed(`endTs=${given.slice(0, 100)} is not a whole number of milliseconds`);
  const back = query.get('lookback');
  const lookback = back === null || back === '' ? dayMs : readLong(back);
  if (lookback === undefined) {
    return malformed(`lookback=${(back ?? '').slice(0, 100)} is not a whole number of milliseconds`);
  }
  if (end <= 0n) return malformed('endTs <= 0');
  if (lookback <= 0n) return malformed('lookback <= 0');
  const start = end > lookback ? end - lookback : 0n;
  return { kind: 'window', startMs: safe(start), endMs: safe(end) };
}

const largest = BigInt(Number.MAX_SAFE_INTEGER);
const safe = (value: bigint) => Number(value > largest ? largest : value);

/** Answers the links; `errorCount` is there only where there are errors, as Zipkin writes it. */
export async function answerDependencies(
  source: DependencySource,
  { query, signal }: Pick<QueryRequest, 'query' | 'signal'>,
): Promise<QueryResponse> {
  const window = parseDependencyWindow(query);
  if (window.kind === 'malformed') return textAnswer(400, window.message);
  const links = await source.dependencies({ startMs: window.startMs, endMs: window.endMs }, signal);
  const body = links.map(({ parent, child, callCount, errorCount }) => ({
    parent,
    child,
    callCount,
    ...(errorCount > 0 ? { errorCount } : {}),
  }));
  return { status: 200, contentType: 'application/json', body: JSON.stringify(body) };
}
