/** How commands speak to a running agent. */
import { request } from 'undici';
import { errorCode } from '../pipeline/file-system.ts';
import { harmless } from './cells.ts';
import { ApiError, programName } from './command.ts';

/** Where an agent listens unless told otherwise. */
export const defaultAgentUrl = 'http://127.0.0.1:9529';

/** Longer than the agent's own limit for an answer, since what it says then tells more. */
const timeoutMs = 35_000;
const timeoutCodes: ReadonlySet<string> = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT']);
const errorBytes = 4096;

export interface ApiAnswer {
  readonly status: number;
  readonly text: string;
  /** Of the header Retry-After, where it is a number of seconds. */
  readonly retryAfterMs?: number | undefined;
}

export interface ApiCall {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly json?: unknown;
  /** A body that is written already, of JSON; goes before `json`. */
  readonly body?: string | undefined;
  /** A body of a form's fields, as a query string has them. */
  readonly form?: string | undefined;
  readonly token?: string | undefined;
}

/** Asks the agent at `baseUrl`. Statuses are the caller's to judge; only an agent that is not there throws. */
export async function callApi(baseUrl: string, call: ApiCall): Promise<ApiAnswer> {
  if (!/^https?:\/\//i.test(baseUrl) || !URL.canParse(baseUrl)) {
    const asHttp = `http://${baseUrl.replace(/^[a-z]+:\/\//i, '')}`;
    const example = URL.canParse(asHttp) ? asHttp : defaultAgentUrl;
    throw new ApiError(`"${baseUrl}" is no URL of HTTP; try --url ${example}`);
  }
  const headers: Record<string, string> = {};
  const body = call.form ?? call.body ?? (call.json === undefined ? undefined : JSON.stringify(call.json));
  if (call.form !== undefined) headers['content-type'] = 'application/x-www-form-urlencoded';
  else if (body !== undefined) headers['content-type'] = 'application/json';
  if (call.token !== undefined) headers['authorization'] = `Bearer ${call.token}`;
  try {
    const answer = await request(new URL(call.path, baseUrl), {
      method: call.method,
      headers,
      ...(body === undefined ? {} : { body }),
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
    });
    const retryAfter = Number(answer.headers['retry-after'] ?? Number.NaN);
    return {
      status: answer.statusCode,
      text: await answer.body.text(),
      retryAfterMs: Number.isFinite(retryAfter) ? retryAfter * 1000 : undefined,
    };
  } catch (cause) {
    if (timeoutCodes.has(errorCode(cause))) {
      const seconds = timeoutMs / 1000;
      throw new ApiError(`the agent at ${baseUrl} has not answered for ${seconds} s; is it very busy?`, { cause });
    }
    const reason =
      cause instanceof Error ? cause.message || String((cause as NodeJS.ErrnoException).code) : String(cause);
    throw new ApiError(`no agent answers at ${baseUrl} (${reason}); start one with: ${programName()} agent`, { cause });
  }
}

/** An answer's text when it is a success, else an ApiError with what the agent said. */
export function expectSuccess(answer: ApiAnswer): string {
  if (answer.status >= 200 && answer.status < 300) return answer.text;
  const said = answer.text.slice(0, errorBytes).trim().split('\n').map(harmless).join('\n');
  throw new ApiError(`the agent answered ${answer.status}: ${said}`);
}
