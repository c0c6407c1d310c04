/** What Zipkin's page and those who watch a Zipkin ask of the server itself. */
import type { QueryResponse } from '../query-route.ts';
import { json } from './answer.ts';

export interface ServerState {
  /** Why queries are not answered, in a sentence; undefined when they are. */
  whyNotReady(): string | undefined;
  readonly version: string;
}

/** Whose API this is: what clients that look at the version are told. */
const zipkinVersion = '3.6.1';

/** Zipkin's own defaults (zipkin-server's ZipkinUiProperties). */
const uiConfig = {
  environment: '',
  queryLimit: 10,
  defaultLookback: 15 * 60_000,
  searchEnabled: true,
  logsUrl: null,
  supportUrl: null,
  archivePostUrl: null,
  archiveUrl: null,
  dependency: { enabled: true, lowErrorRate: 0.5, highErrorRate: 0.75 },
};

/** `GET /zipkin/config.json`. */
export const answerUiConfig = (): QueryResponse => json(JSON.stringify(uiConfig), { 'cache-control': 'max-age=600' });

/** `GET /health`: 503 while queries are not answered. */
export function answerHealth({ whyNotReady }: ServerState): QueryResponse {
  const reason = whyNotReady();
  if (reason === undefined) return json(JSON.stringify({ status: 'UP', zipkin: { status: 'UP' } }));
  const zipkin = { status: 'DOWN', details: { error: reason } };
  return { ...json(JSON.stringify({ status: 'DOWN', zipkin })), status: 503 };
}

/** `GET /info`. */
export const answerInfo = ({ version }: ServerState): QueryResponse =>
  json(JSON.stringify({ zipkin: { version: zipkinVersion }, trawl: { version } }));
