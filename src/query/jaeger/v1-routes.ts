/** `/api/…`: Jaeger's first API. Its answers lie in an envelope, its errors too, which call themselves text. */
import { CodecError } from '../../codec/codec-error.ts';
import type { QueryRequest, QueryResponse, QueryRoute } from '../query-route.ts';
import {
  answered,
  envelopeEnd,
  JaegerRefusal,
  jsonAnswerOfPieces,
  markIncomplete,
  type StructuredError,
  v1Answer,
} from './answers.ts';
import { encodeUiTraces } from './encode-traces.ts';
import { parseGoBool } from './go-text.ts';
import { answerMonitor, minStepMs, monitorMetrics } from './monitor.ts';
import { byText, readOperations, readServices } from './operations.ts';
import { missingServiceName, type OtlpTrace } from './otlp-trace.ts';
import {
  ParameterError,
  parsedValue,
  parseInt64,
  parseV1Search,
  type V1SearchRequest,
  v1Value,
} from './search-parameters.ts';
import type { JaegerApiOptions } from './source.ts';
import { parseJaegerTraceId } from './trace-id.ts';
import { findTraces, maxTraces, readTrace, useTrace } from './traces.ts';
import { parseOtlpFile } from './transform.ts';
import { jaegerTraceId } from './ui-trace.ts';

type Handle = (options: JaegerApiOptions, request: QueryRequest) => Promise<QueryResponse>;

const traceNotFound = 'trace not found';

/** Files that a viewer uploads. */
const maxUploadBytes = 16 * 1024 * 1024;

const handlers: readonly (Pick<QueryRoute, 'method' | 'path' | 'maxBodyBytes'> & { readonly answer: Handle })[] = [
  { method: 'GET', path: '/api/services', answer: answerServices },
  { method: 'GET', path: '/api/services/:service/operations', answer: answerOperationNames },
  { method: 'GET', path: '/api/operations', answer: answerOperations },
  { method: 'GET', path: '/api/traces', answer: answerSearch },
  { method: 'GET', path: '/api/traces/:id', answer: answerTrace },
  { method: 'POST', path: '/api/archive/:id', answer: refuseArchive },
  { method: 'POST', path: '/api/transform', maxBodyBytes: maxUploadBytes, answer: answerTransform },
  { method: 'GET', path: '/api/dependencies', answer: answerDependencies },
  ...monitorMetrics.map((metric) => ({
    method: 'GET' as const,
    path: `/api/metrics/${metric}`,
    answer: (options: JaegerApiOptions, request: QueryRequest) => answerMonitor(options, metric, request),
  })),
  {
    method: 'GET',
    path: '/api/metrics/minstep',
    answer: (_options, { query }) => Promise.resolve(v1Answer(query, minStepMs)),
  },
];

/** The routes of v1. */
export function createV1Routes(options: JaegerApiOptions): readonly QueryRoute[] {
  return handlers.map(({ answer, ...route }) => ({
    ...route,
    handle: (request) => answered('v1', request.signal, () => answer(options, request)),
  }));
}

async function answerServices({ source }: JaegerApiOptions, { query, signal }: QueryRequest): Promise<QueryResponse> {
  const names = await readServices(source, signal);
  return v1Answer(query, names, names.length);
}

async function answerOperationNames(
  { source }: JaegerApiOptions,
  { params, query, signal }: QueryRequest,
): Promise<QueryResponse> {
  const service = params['service'] ?? '';
  const names = new Set((await readOperations(source, { service, spanKind: '' }, signal)).map(({ name }) => name));
  // Some clients write a space of the path as a plus, which Jaeger reads as one.
  if (names.size === 0 && service.includes('+')) {
    const spaced = { service: service.replaceAll('+', ' '), spanKind: '' };
    for (const { name } of await readOperations(source, spaced, signal)) names.add(name);
  }
  return v1Answer(query, names.size === 0 ? null : [...names], names.size);
}

async function answerOperations({ source }: JaegerApiOptions, { query, signal }: QueryRequest): Promise<QueryResponse> {
  const service = query.get('service') ?? '';
  if (service === '') throw new ParameterError("parameter 'service' is required");
  const operations = await readOperations(source, { service, spanKind: query.get('spanKind') ?? '' }, signal);
  return v1Answer(query, operations, operations.length);
}

async function answerSearch(options: JaegerApiOptions, { query, signal }: QueryRequest): Promise<QueryResponse> {
  const asked = parseV1Search(query, options.nowMs());
  if (asked.traceIds.length > 0) return answerTraces(options, asked, { query, signal });
  return options.searches.pass(signal, async () => {
    const { traces, incomplete } = await findTraces(options, asked, signal);
    return markIncomplete(await tracesAnswer(traces, null, { query, signal }), incomplete);
  });
}

/** The traces of these ids, and an error for each that is not there. */
function answerTraces(
  options: JaegerApiOptions,
  { traceIds, isRaw }: V1SearchRequest,
  { query, signal }: Asked,
): Promise<QueryResponse> {
  const ids = new Set(traceIds);
  if (ids.size > maxTraces) {
    throw new ParameterError(`${ids.size} traces are asked for at once; at most ${maxTraces} are given`);
  }
  return options.searches.pass(signal, async () => {
    const traces: OtlpTrace[] = [];
    const errors: StructuredError[] = [];
    for (const id of ids) {
      const trace = await readTrace(options, id, { isRaw, signal });
      if (trace === undefined) errors.push({ msg: traceNotFound, traceID: jaegerTraceId(id) });
      else traces.push(trace);
    }
    return tracesAnswer(traces, errors.length === 0 ? null : errors, { query, signal });
  });
}

interface Asked {
  readonly query: URLSearchParams;
  readonly signal: AbortSignal;
}

async function tracesAnswer(
  traces: readonly OtlpTrace[],
  errors: readonly StructuredError[] | null,
  { query, signal }: Asked,
): Promise<QueryResponse> {
  const frame = { before: '{"data":', after: envelopeEnd(0, errors) };
  return jsonAnswerOfPieces(await encodeUiTraces(traces, frame, signal), query);
}

/** `start` and `end` only help stores that keep traces by time; they must be times all the same. */
function parseTraceRequest({ params, query }: QueryRequest): { readonly id: string; readonly isRaw: boolean } {
  const id = parsedValue('', parseJaegerTraceId(params['id'] ?? ''));
  v1Value(query, 'start', parseInt64, 0n);
  v1Value(query, 'end', parseInt64, 0n);
  return { id, isRaw: v1Value(query, 'raw', parseGoBool, false) };
}

async function answerTrace(options: JaegerApiOptions, request: QueryRequest): Promise<QueryResponse> {
  const { id, isRaw } = parseTraceRequest(request);
  const answer = await useTrace(options, id, {
    isRaw,
    signal: request.signal,
    use: (trace) => tracesAnswer([trace], null, request),
  });
  // Never 200 with an empty list: Grafana takes the first trace unseen.
  if (answer === undefined) throw new JaegerRefusal(404, traceNotFound);
  return answer;
}

function refuseArchive(_options: JaegerApiOptions, request: QueryRequest): Promise<QueryResponse> {
  parseTraceRequest(request);
  return Promise.reject(
    new JaegerRefusal(501, 'archive span storage was not configured: the store keeps traces for its retention'),
  );
}

async function answerTransform(
  _options: JaegerApiOptions,
  { query, body, signal }: QueryRequest,
): Promise<QueryResponse> {
  let traces: readonly OtlpTrace[];
  try {
    traces = parseOtlpFile(body ?? Buffer.alloc(0));
  } catch (error) {
    if (error instanceof CodecError) throw new ParameterError(error.message);
    throw error;
  }
  return tracesAnswer(traces, null, { query, signal });
}

const dayMs = 86_400_000n;
/** What the store's minutes can hold: the year 2106. */
const lastMs = 4_294_967_000_000n;

async function answerDependencies(options: JaegerApiOptions, { query, signal }: QueryRequest): Promise<QueryResponse> {
  const endMs = v1Value(query, 'endTs', parseInt64, BigInt(Math.trunc(options.nowMs())));
  const startMs = endMs - v1Value(query, 'lookback', parseInt64, dayMs);
  const service = query.get('service') ?? '';
  if (startMs > endMs || endMs < 0n) return v1Answer(query, []);
  const window = { startMs: Number(withinTime(startMs)), endMs: Number(withinTime(endMs)) };
  const links = (await options.source.dependencies(window, signal))
    .map(({ parent, child, callCount }) => ({
      parent: parent || missingServiceName,
      child: child || missingServiceName,
      callCount,
    }))
    .filter(({ parent, child }) => service === '' || parent === service || child === service)
    .sort((a, b) => byText(a.parent, b.parent) || byText(a.child, b.child));
  return v1Answer(query, links);
}

const withinTime = (ms: bigint): bigint => (ms < 0n ? 0n : ms > lastMs ? lastMs : ms);
