/** How query commands ask an agent: where it is, with which token, and what to do when it says no. */
import { type ApiAnswer, type ApiCall, callApi, defaultAgentUrl, expectSuccess } from './api-client.ts';
import { harmless } from './cells.ts';
import { ApiError, type Arguments, type Option, type Terminal, UsageError } from './command.ts';

/** Of every command that queries. */
export const questionOptions: Readonly<Record<string, Option>> = {
  url: { type: 'string', value: 'URL', description: `The agent (default ${defaultAgentUrl}).` },
  token: {
    type: 'string',
    value: 'TOKEN',
    description: 'The query token, where the agent asks for one (or TRAWL_TOKEN).',
  },
};

export interface Agent {
  readonly url: string;
  /** What a command that is shown for copying needs to reach the same agent, with a blank before it, or ''. */
  readonly urlOption: string;
  /**
   * Asks for `path`; throws an ApiError for what a person must change first: no agent there, no token. Where Prometheus's API takes a form as
   * well, a long query string is sent as one.
   */
  get(path: string): Promise<ApiAnswer>;
  /** The JSON of a successful answer. */
  getJson(path: string): Promise<unknown>;
}

/** Servers and what stands before them take some thousand characters in the first line of a request, and not all as many. */
const longestPath = 4000;
const takesForm = /^\/api\/v1\/(?:query|query_range|labels|series|format_query|parse_query)$/;

function callFor(path: string): Pick<ApiCall, 'method' | 'path' | 'form'> {
  const at = path.indexOf('?');
  if (path.length <= longestPath || !takesForm.test(path.slice(0, at))) return { method: 'GET', path };
  return { method: 'POST', path: path.slice(0, at), form: path.slice(at + 1) };
}

/** The agent that the arguments name. */
export function agentOf(args: Arguments, terminal: Terminal): Agent {
  const url = args.text('url') ?? defaultAgentUrl;
  const token = args.text('token') ?? terminal.environment['TRAWL_TOKEN'];
  const get = async (path: string): Promise<ApiAnswer> => {
    const answer = await callApi(url, { ...callFor(path), token });
    if (answer.status === 401 || answer.status === 403) throw new ApiError(refusal(answer, token));
    return answer;
  };
  return {
    url,
    urlOption: url === defaultAgentUrl ? '' : ` --url ${url}`,
    get,
    async getJson(path) {
      const text = expectSuccess(await get(path));
      try {
        return JSON.parse(text);
      } catch (cause) {
        throw new ApiError(`${url} does not answer as an agent does: ${harmless(text.slice(0, 200))}`, { cause });
      }
    },
  };
}

function refusal({ status, text }: ApiAnswer, token: string | undefined): string {
  const said = harmless(text.trim().slice(0, 500));
  if (status === 403) return `the agent refuses to be queried from here: ${said}`;
  return token === undefined
    ? `the agent wants a token: pass --token TOKEN, or set TRAWL_TOKEN (${said})`
    : `the agent does not know this token; look at --token or TRAWL_TOKEN (${said})`;
}

/** A whole number that an option gives, at least `least`. */
export function countOf(args: Arguments, name: string, least: number): number | undefined {
  const text = args.text(name);
  if (text === undefined) return undefined;
  const count = Number(text);
  if (!/^\d+$/.test(text) || count < least || !Number.isSafeInteger(count))
    throw new UsageError(`--${name} ${harmless(text)} is no whole number of at least ${least}`);
  return count;
}
