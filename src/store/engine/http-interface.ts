/** ClickHouse's HTTP interface, as much of it as its clients use: a query in, an answer or an exception out. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Authorization } from './authorization.ts';
import { isAuthorized } from './authorization.ts';
import { EngineError } from './engine.ts';
import type { QueryRunner } from './query-runner.ts';
import { blankLiterals, parseRowsInsert, placeholdersOf, refusalOf } from './sql-text.ts';

/** ClickHouse's error numbers that the store process itself answers with. */
export const errorCodes = {
  unknownSetting: 115,
  badArguments: 36,
  notImplemented: 48,
  accessDenied: 497,
  authenticationFailed: 516,
  tooManyQueries: 202,
  unknownParameter: 456,
  querySizeExceeded: 62,
} as const;

const maxQueryBytes = 4 * 1024 * 1024;

/** URL parameters that are not settings. */
const ownParameters = new Set(['query', 'query_id', 'database', 'default_format']);
/** Settings that clients send by themselves and that do not change what the store does. */
const harmlessSettings = new Map([
  ['enable_http_compression', new Set(['0'])],
  ['wait_end_of_query', new Set(['0', '1'])],
  ['send_progress_in_http_headers', new Set(['0'])],
]);

export interface HttpInterfaceOptions {
  readonly runner: QueryRunner;
  readonly authorization: Authorization | undefined;
  /** An unexpected failure inside the interface itself. */
  readonly onError: (error: unknown) => void;
}

/** A node:http request listener; nothing of a framework, for this process must stay small. */
export function createHttpInterface(options: HttpInterfaceOptions): RequestListener {
  return (request, response) => {
    handle(request, response, options).catch((error: unknown) => {
      // What fails because the client has left is the client's affair.
      if (!(error instanceof EngineError) && !response.destroyed) options.onError(error);
      answerException(response, toException(error));
    });
  };
}

async function handle(
  request: IncomingMessage,
  response: ServerResponse,
  { runner, authorization }: HttpInterfaceOptions,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://store');
  if (request.method === 'GET' && (url.pathname === '/ping' || url.pathname === '/')) {
    // A supervisor or an orchestrator's probe, which has no token, asks whether the engine answers, not only the event loop.
    if (url.searchParams.has('engine')) await runner.check();
    response.setHeader('Content-Type', 'text/plain; charset=UTF-8');
    response.end('Ok.\n');
    return;
  }
  if (authorization !== undefined) {
    const verdict = isAuthorized(request, authorization);
    if (verdict !== 'authorized') {
      request.resume();
      throw exception(
        errorCodes.authenticationFailed,
        verdict === 'limited'
          ? 'Too many failed attempts from this address; wait a minute.'
          : 'Authentication failed: the token is missing or wrong.',
        'AUTHENTICATION_FAILED',
      );
    }
  }
  if (url.pathname !== '/' || (request.method !== 'POST' && request.method !== 'GET')) {
    request.resume();
    response.statusCode = 404;
    response.end('There is no such route; the store takes POST /?query=… and GET /ping.\n');
    return;
  }
  await handleQuery(request, response, { runner, url });
}

async function handleQuery(
  request: IncomingMessage,
  response: ServerResponse,
  { runner, url }: { readonly runner: QueryRunner; readonly url: URL },
): Promise<void> {
  const { parameters, textInUrl, format } = readUrl(url);
  const left = new AbortController();
  response.on('close', () => {
    if (!response.writableFinished) left.abort();
  });
  const urlInsert = textInUrl === '' ? undefined : parseRowsInsert(textInUrl, blankLiterals(textInUrl));
  const sql = urlInsert === undefined ? joinQuery(textInUrl, await readText(request)) : textInUrl;
  const blanked = blankLiterals(sql);
  checkText(blanked, parameters);
  const outcome =
    urlInsert === undefined
      ? await runner.query({ sql, format, parameters, signal: left.signal })
      : await runner.insertRows({ insert: urlInsert, rows: request, parameters, signal: left.signal });
  if (response.destroyed) return;
  response.setHeader('Content-Type', 'application/octet-stream');
  response.setHeader('X-ClickHouse-Format', formatOf(blanked) ?? format);
  response.setHeader(
    'X-ClickHouse-Summary',
    JSON.stringify({ read_rows: String(outcome.rowsRead), read_bytes: String(outcome.bytesRead) }),
  );
  const queryId = url.searchParams.get('query_id');
  if (queryId !== null) response.setHeader('X-ClickHouse-Query-Id', queryId);
  response.setHeader('Content-Length', outcome.bytes.byteLength);
  response.end(outcome.bytes);
}

function readUrl(url: URL) {
  const parameters = new Map<string, string>();
  for (const [name, value] of url.searchParams) {
    const parameter = /^param_(\w+)$/.exec(name)?.[1];
    if (parameter !== undefined) parameters.set(parameter, value);
    else if (!ownParameters.has(name) && !(harmlessSettings.get(name)?.has(value) ?? false)) {
      throw exception(
        errorCodes.unknownSetting,
        `Setting ${name} is sent apart from the query, where it would stick to the session; write it in the query's text (SETTINGS ${name} = …).`,
        'UNKNOWN_SETTING',
      );
    }
  }
  const database = url.searchParams.get('database') ?? 'default';
  if (database !== 'default') {
    throw exception(
      errorCodes.badArguments,
      `The store has the database default only, not ${database}.`,
      'BAD_ARGUMENTS',
    );
  }
  const format = url.searchParams.get('default_format') ?? 'TabSeparated';
  return { parameters, textInUrl: url.searchParams.get('query') ?? '', format };
}

/** ClickHouse takes the query in the URL, in the body, or its beginning in the one and the rest in the other. */
function joinQuery(textInUrl: string, textInBody: string): string {
  if (textInUrl === '' || textInBody === '') return textInUrl + textInBody;
  return `${textInUrl}\n${textInBody}`;
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    sizeBytes += chunk.byteLength;
    if (sizeBytes > maxQueryBytes) {
      throw exception(errorCodes.querySizeExceeded, `The query is longer than ${maxQueryBytes} bytes.`, 'SYNTAX_ERROR');
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function checkText(blanked: string, parameters: ReadonlyMap<string, string>): void {
  const refusal = refusalOf(blanked);
  if (refusal !== undefined) throw exception(errorCodes.accessDenied, `Refused: ${refusal}.`, 'ACCESS_DENIED');
  for (const placeholder of placeholdersOf(blanked)) {
    // The engine would take the value that the session's last query had.
    if (!parameters.has(placeholder)) {
      throw exception(
        errorCodes.unknownParameter,
        `Substitution \`${placeholder}\` is not set.`,
        'UNKNOWN_QUERY_PARAMETER',
      );
    }
  }
}

function formatOf(blanked: string): string | undefined {
  return /\bFORMAT\s+(\w+)\s*;?\s*$/i.exec(blanked)?.[1];
}

export function exception(code: number, message: string, name: string): EngineError {
  return new EngineError(`Code: ${code}. DB::Exception: ${message} (${name})`, code);
}

function toException(error: unknown): EngineError {
  if (error instanceof EngineError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return exception(1002, message, 'UNKNOWN_EXCEPTION');
}

const statusOfCode = new Map<number, number>([
  [errorCodes.authenticationFailed, 403],
  [errorCodes.accessDenied, 403],
  [errorCodes.tooManyQueries, 503],
  [errorCodes.notImplemented, 501],
  [60, 404],
  [81, 404],
  [62, 400],
  [47, 404],
  [115, 404],
  [159, 408],
]);

function answerException(response: ServerResponse, { code, message }: EngineError): void {
  if (response.destroyed || response.headersSent) {
    response.destroy();
    return;
  }
  response.statusCode = statusOfCode.get(code) ?? 500;
  response.setHeader('Content-Type', 'text/plain; charset=UTF-8');
  response.setHeader('X-ClickHouse-Exception-Code', String(code));
  // What is left of a body that was refused is not read: the connection ends with the answer.
  if (!response.req.complete) response.setHeader('Connection', 'close');
  response.end(`${message}\n`);
}
