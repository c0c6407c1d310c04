/** `/api/v3/…`: Jaeger's API whose traces are OTLP's JSON. Its errors call themselves text, too. */
import type { QueryRequest, QueryResponse, QueryRoute } from '../query-route.ts';
import { answered, JaegerRefusal, jsonAnswer, jsonAnswerOfPieces, markIncomplete } from './answers.ts';
import { encodeOtlpTraces } from './encode-traces.ts';
import { parseGoBool, parseGoTime } from './go-text.ts';
import { readOperations, readServices } from './operations.ts';
import type { OtlpTrace } from './otlp-trace.ts';
import { parsedValue, parseV3Search, v3Parameter, v3Value } from './search-parameters.ts';
import type { JaegerApiOptions } from './source.ts';
import { summarizeTrace } from './summary.ts';
import { parseJaegerTraceId } from './trace-id.ts';
import { findTraces, useTrace } from './traces.ts';

type Handle = (options: JaegerApiOptions, request: QueryRequest) => Promise<QueryResponse>;

const handlers: readonly { readonly path: string; readonly answer: Handle }[] = [
  { path: '/api/v3/services', answer: answerServices },
  { path: '/api/v3/operations', answer: answerOperations },
  { path: '/api/v3/traces', answer: answerSearch },
  { path: '/api/v3/traces/:id', answer: answerTrace },
  { path: '/api/v3/trace-summaries', answer: answerSummaries },
];

/** The routes of v3. */
export function createV3Routes(options: JaegerApiOptions): readonly QueryRoute[] {
  return handlers.map(({ path, answer }) => ({
    method: 'GET',
    path,
    handle: (request) => answered('v3', request.signal, () => answer(options, request)),
  }));
}

async function answerServices({ source }: JaegerApiOptions, { query, signal }: QueryRequest): Promise<QueryResponse> {
  const services = await readServices(source, signal);
  return jsonAnswer(JSON.stringify({ services }), query);
}

async function answerOperations({ source }: JaegerApiOptions, { query, signal }: QueryRequest): Promise<QueryResponse> {
  const ask = { service: query.get('service') ?? '', spanKind: v3Parameter(query, 'spanKind', 'span_kind').text };
  // Here a span without a kind is an internal one.
  const operations = (ask.service === '' ? [] : await readOperations(source, ask, signal)).map(
    ({ name, spanKind }) => ({
      name,
      spanKind: spanKind || 'internal',
    }),
  );
  return jsonAnswer(JSON.stringify({ operations }), query);
}

async function answerTrace(options: JaegerApiOptions, { params, query, signal }: QueryRequest): Promise<QueryResponse> {
  const id = parsedValue('malformed parameter trace_id: ', parseJaegerTraceId(params['id'] ?? ''));
  // They only help stores that keep traces by time.
  v3Value(v3Parameter(query, 'startTime', 'start_time'), parseGoTime, 0n);
  v3Value(v3Parameter(query, 'endTime', 'end_time'), parseGoTime, 0n);
  const isRaw = v3Value(v3Parameter(query, 'rawTraces', 'raw_traces'), parseGoBool, false);
  const use = (trace: OtlpTrace) => tracesAnswer([trace], { query, signal });
  return (await useTrace(options, id, { isRaw, signal, use })) ?? tracesAnswer([], { query, signal });
}

async function answerSearch(options: JaegerApiOptions, { query, signal }: QueryRequest): Promise<QueryResponse> {
  const asked = parseV3Search(query);
  return options.searches.pass(signal, async () => {
    const { traces, incomplete } = await findTraces(options, asked, signal);
    return markIncomplete(await tracesAnswer(traces, { query, signal }), incomplete);
  });
}

async function tracesAnswer(
  traces: readonly OtlpTrace[],
  { query, signal }: Pick<QueryRequest, 'query' | 'signal'>,
): Promise<QueryResponse> {
  if (traces.length === 0) throw new JaegerRefusal(404, 'No traces found');
  return jsonAnswerOfPieces(await encodeOtlpTraces(traces, signal), query);
}

async function answerSummaries(options: JaegerApiOptions, { query, signal }: QueryRequest): Promise<QueryResponse> {
  const asked = parseV3Search(query);
  const { traces, incomplete } = await options.searches.pass(signal, () => findTraces(options, asked, signal));
  const body = JSON.stringify({ summaries: traces.map(summarizeTrace) });
  return markIncomplete(jsonAnswer(body, query), incomplete);
}
