/** Zipkin's query API v2 over the store (reference: zipkin-server's ZipkinQueryApiV2). All of its routes are listed here. */
import { answerFailure, textAnswer, untilEnded } from '../failure.ts';
import type { QueryRequest, QueryResponse, QueryRoute } from '../query-route.ts';
import { answerDependencies, type DependencySource } from '../topology/dependencies.ts';
import { createNameAnswers, type NameSource } from './names.ts';
import { answerTraceMany, answerTraces, type SearchSource } from './search.ts';
import { answerHealth, answerInfo, answerUiConfig, type ServerState } from './server-state.ts';
import { answerTrace, type TraceSource } from './trace.ts';

/** What the API reads. */
export type ZipkinSource = TraceSource & SearchSource & NameSource & DependencySource;

export interface ZipkinApiOptions {
  readonly traces: ZipkinSource;
  /**
   * Resolves once what was acknowledged before the call can be queried, and at most once a second for all who wait. It is called when a
   * trace is not found, so that whoever sent a span and was answered finds it.
   */
  readonly freshen: (signal: AbortSignal) => Promise<void>;
  /** Whether everything that was acknowledged can be queried already: a trace that is not found then need not be looked up again. */
  readonly isCurrent: () => boolean;
  readonly nowMs: () => number;
  /** The tags whose values the search page suggests. */
  readonly autocompleteKeys: readonly string[];
  readonly state: ServerState;
}

/** Answers a route; failures of the store are left to `answered`. */
export type Answer = (request: QueryRequest) => Promise<QueryResponse> | QueryResponse;

/** The routes of Zipkin's API, each also below `/zipkin`, where Zipkin's own page asks for them. */
export function createZipkinApi(options: ZipkinApiOptions): readonly QueryRoute[] {
  const names = createNameAnswers(options.traces, options.autocompleteKeys);
  return [
    api('services', names.services),
    api('spans', names.spans),
    api('remoteServices', names.remoteServices),
    api('traces', (request) => answerTraces(options, request)),
    // No id is no route to Zipkin.
    api('trace/:id', (request) =>
      request.params['id'] === ''
        ? textAnswer(404, 'Not Found: /api/v2/trace/ needs an id')
        : answerTrace(options, request),
    ),
    api('traceMany', (request) => answerTraceMany(options.traces, request)),
    api('dependencies', (request) => answerDependencies(options.traces, request)),
    api('autocompleteKeys', names.autocompleteKeys),
    api('autocompleteValues', names.autocompleteValues),
    get('/zipkin/config.json', answerUiConfig),
    { ...get('/health', () => answerHealth(options.state)), group: 'open' },
    { ...get('/info', () => answerInfo(options.state)), group: 'open' },
  ];
}

/** A route of the API where programs ask for it, and where Zipkin's page does. */
const api = (path: string, answer: Answer): QueryRoute => ({
  ...get(`/api/v2/${path}`, answer),
  aliases: [`/zipkin/api/v2/${path}`],
});

const get = (path: string, answer: Answer): QueryRoute => ({
  method: 'GET',
  path,
  handle: (request) => answered(request, answer),
});

/** Failures of the store in Zipkin's manner: a status and a line of text. */
async function answered(request: QueryRequest, answer: Answer): Promise<QueryResponse> {
  try {
    return await untilEnded(request.signal, Promise.resolve(answer(request)));
  } catch (error) {
    return answerFailure(error, ({ status, message }) => {
      const response = textAnswer(status, message);
      return status === 503 ? { ...response, headers: { 'retry-after': '1' } } : response;
    });
  }
}
