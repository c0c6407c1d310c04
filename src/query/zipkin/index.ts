/** Zipkin's query API v2 over the store: a trace by its id, and the names of services (reference: zipkin-server's ZipkinQueryApiV2). */
import { encodeSpans } from '../../codec/zipkin-v2-json/encode-spans.ts';
import type { Span } from '../../model/span.ts';
import { answerFailure, textAnswer, untilEnded } from '../failure.ts';
import type { QueryResponse, QueryRoute } from '../query-route.ts';
import { parseTraceId } from './trace-id.ts';

/** What the API reads; `traceById` and `serviceNames` of the store's readers, bound to a client. */
export interface TraceSource {
  traceById(traceId: string, signal: AbortSignal): Promise<readonly Span[]>;
  serviceNames(signal: AbortSignal): Promise<readonly string[]>;
}

export interface ZipkinApiOptions {
  readonly traces: TraceSource;
  /**
   * Resolves once what was acknowledged before the call can be queried, and at most once a second for all who wait. It is called when a
   * trace is not found, so that whoever sent a span and was answered finds it.
   */
  readonly freshen: (signal: AbortSignal) => Promise<void>;
  /** Whether everything that was acknowledged can be queried already: a trace that is not found then need not be looked up again. */
  readonly isCurrent: () => boolean;
}

/** Beyond this many names Zipkin lets its clients keep the list for a while. */
const cacheableCount = 3;

const retrySoon = { 'retry-after': '1' };

const json = (body: string, headers?: QueryResponse['headers']): QueryResponse => ({
  status: 200,
  contentType: 'application/json',
  body,
  ...(headers === undefined ? {} : { headers }),
});

async function answerTrace(options: ZipkinApiOptions, raw: string, signal: AbortSignal): Promise<QueryResponse> {
  const id = parseTraceId(raw);
  if (id.kind === 'malformed') return textAnswer(400, id.message);
  // Asked before the look-up: what becomes current during it may have come too late for it.
  const isCurrent = options.isCurrent();
  let spans = await options.traces.traceById(id.text, signal);
  if (spans.length === 0 && !isCurrent) {
    try {
      await options.freshen(signal);
    } catch (error) {
      if (signal.aborted) throw error;
      // A 404 would be a promise that the trace is not there, which nobody knows now.
      const reason = error instanceof Error ? error.message : String(error);
      return { ...textAnswer(503, `${id.text} not found yet: the store is behind (${reason})`), headers: retrySoon };
    }
    spans = await options.traces.traceById(id.text, signal);
  }
  if (spans.length === 0) return textAnswer(404, `${id.text} not found`);
  return json(encodeSpans(spans));
}

async function answerServices(traces: TraceSource, signal: AbortSignal): Promise<QueryResponse> {
  const names = new Set<string>();
  for (const name of await traces.serviceNames(signal)) names.add(name.toLowerCase());
  const headers = names.size > cacheableCount ? { 'cache-control': 'max-age=300, must-revalidate' } : undefined;
  return json(JSON.stringify([...names].sort()), headers);
}

/** Failures of the store in Zipkin's manner: a status and a line of text. */
async function answered(signal: AbortSignal, answer: Promise<QueryResponse>): Promise<QueryResponse> {
  try {
    return await untilEnded(signal, answer);
  } catch (error) {
    return answerFailure(error, (failure) => textAnswer(failure.status, failure.message));
  }
}

/** The routes `GET /api/v2/trace/:id` and `GET /api/v2/services`. */
export function createZipkinApi(options: ZipkinApiOptions): readonly QueryRoute[] {
  return [
    {
      method: 'GET',
      path: '/api/v2/trace/:id',
      handle: ({ params, signal }) => answered(signal, answerTrace(options, params['id'] ?? '', signal)),
    },
    {
      method: 'GET',
      path: '/api/v2/services',
      handle: ({ signal }) => answered(signal, answerServices(options.traces, signal)),
    },
  ];
}
