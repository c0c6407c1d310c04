/** One GET of an exposition: redirects by hand, only status 200, size caps on the wire and inflated. */
import { readFile } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import { type ExpositionFormat, formatOfContentType } from '../../codec/exposition/exposition.ts';
import type { Connector } from './connections.ts';
import { get, type Head } from './http-get.ts';
import { describeRequestError } from './request-error.ts';
import type { MemoryClaim } from './scrape-memory.ts';
import { userAgent } from './user-agent.ts';

/** A scrape may be sent on three times, but never to another host or port: the target is who the configuration names. */
const maxRedirects = 3;
const leastInflateBytes = 64 * 1024;
/** Values grow by a digit now and then. */
const expectedGrowth = 1.02;

/** Names of Prometheus's `scrape_protocols`, each with what is said of it in Accept. */
export const scrapeProtocols = {
  'OpenMetricsText1.0.0': 'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8',
  'OpenMetricsText0.0.1': 'application/openmetrics-text;version=0.0.1',
  'PrometheusText1.0.0': 'text/plain;version=1.0.0;escaping=allow-utf-8',
  'PrometheusText0.0.4': 'text/plain;version=0.0.4',
} as const;
export type ScrapeProtocol = keyof typeof scrapeProtocols;

export interface PageRequest {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** A file with a bearer token, read for every scrape so that a renewed one is taken up. */
  readonly tokenFile: string | undefined;
  readonly timeoutMs: number;
  /** What is inflated may have fewer bytes than this. */
  readonly limitBytes: number;
  readonly protocols: readonly ScrapeProtocol[];
  readonly asksForGzip: boolean;
  /** Whether an answer whose Content-Type says nothing is read as text. */
  readonly fallsBackToText: boolean;
  readonly connector: Connector;
  /** How large the page was before, inflated; 0 where that is not known. One that is as large is inflated in one piece, without a copy. */
  readonly expectedBytes: number;
  readonly memory: MemoryClaim;
}

export interface Page {
  /** Inflated. */
  readonly body: Buffer;
  readonly format: ExpositionFormat;
}

/** The page has as many bytes as the limit or more. */
export class BodyTooLarge extends Error {
  override readonly name = 'BodyTooLarge';
  constructor(limitBytes: number) {
    super(
      `the page has ${limitBytes} bytes or more, the limit of body_size_limit: raise it, or let the target say less`,
    );
  }
}

/** The Accept header for these formats, the first preferred: as Prometheus 3 sends it, with `q` from 0.6 down. */
export function acceptHeader(protocols: readonly ScrapeProtocol[]): string {
  const weight = (at: number) => `q=0.${protocols.length + 2 - at}`;
  const types = protocols.map((protocol, at) => `${scrapeProtocols[protocol]};${weight(at)}`);
  return [...types, `*/*;${weight(protocols.length)}`].join(',');
}

/** Fetches a page. Every error's message says in plain words what the target did. */
export async function fetchPage(page: PageRequest, signal: AbortSignal): Promise<Page> {
  const headers: Record<string, string> = {
    accept: acceptHeader(page.protocols),
    'accept-encoding': page.asksForGzip ? 'gzip' : 'identity',
    'user-agent': userAgent,
    'x-prometheus-scrape-timeout-seconds': String(page.timeoutMs / 1000),
    ...page.headers,
  };
  if (page.tokenFile !== undefined) headers['authorization'] = `Bearer ${await readToken(page.tokenFile)}`;
  let url = page.url;
  for (let hops = 0; ; hops++) {
    const answer = await getPage({ ...page, url, headers }, signal);
    if (answer.location === undefined) return await readPage(answer, page, signal);
    url = nextUrl(url, answer.location, hops);
  }
}

interface Answer extends Head {
  /** Where it redirects to. */
  readonly location: string | undefined;
  readonly body: readonly Buffer[];
}

/** One answer with its body as it is on the wire; none where it redirects. */
async function getPage(page: PageRequest, signal: AbortSignal): Promise<Answer> {
  const { url, headers, connector, limitBytes, memory } = page;
  const body: Buffer[] = [];
  let length = 0;
  try {
    const head = await get(
      {
        url,
        headers,
        connector,
        wantsBody(told) {
          if (redirectLocation(told) !== undefined) return false;
          checkHead(told, page);
          return true;
        },
        take(chunk) {
          length += chunk.length;
          if (length >= limitBytes) throw new BodyTooLarge(limitBytes);
          memory.hold(chunk.length);
          body.push(chunk);
        },
      },
      signal,
    );
    return { ...head, location: redirectLocation(head), body };
  } catch (cause) {
    signal.throwIfAborted();
    throw describeRequestError(cause, url.host);
  }
}

async function readToken(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (cause) {
    throw new Error(`cannot read token_file "${path}": ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}

const headerOf = ({ headers }: Head, name: string): string => {
  const value = headers[name];
  return typeof value === 'string' ? value.trim() : '';
};

function redirectLocation(head: Head): string | undefined {
  const location = headerOf(head, 'location');
  return [301, 302, 303, 307, 308].includes(head.status) && location !== '' ? location : undefined;
}

function nextUrl(from: URL, location: string, hops: number): URL {
  const to = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  if (to === undefined) throw new Error(`the target redirects to "${location.slice(0, 200)}", which is no URL`);
  if (to.protocol !== from.protocol || to.host !== from.host) {
    throw new Error(
      `the target redirects to ${to.protocol}//${to.host}, another host or port than ${from.host}: not followed; name that address itself if it is to be scraped`,
    );
  }
  if (hops >= maxRedirects) throw new Error(`the target redirected more than ${maxRedirects} times`);
  return to;
}

/** Refuses what will not be read before its body has come. */
function checkHead(head: Head, { fallsBackToText }: PageRequest): void {
  if (head.status !== 200) throw new Error(describeStatus(head.status));
  const type = headerOf(head, 'content-type');
  const mediaType = type.split(';', 1)[0]?.trim().toLowerCase();
  if (mediaType === 'application/vnd.google.protobuf') {
    throw new Error("the target answered in Prometheus's protobuf format, which was not asked for");
  }
  if (mediaType !== 'text/plain' && mediaType !== 'application/openmetrics-text' && !fallsBackToText) {
    throw new Error(`the target answered with Content-Type "${type}" and fallback_to_text is off`);
  }
  if (!['', 'identity', 'gzip'].includes(encodingOf(head))) {
    throw new Error(`the target answered with Content-Encoding "${encodingOf(head)}"; only gzip is read`);
  }
}

const encodingOf = (head: Head): string => headerOf(head, 'content-encoding').toLowerCase();

async function readPage(answer: Answer, page: PageRequest, signal: AbortSignal): Promise<Page> {
  const format = formatOfContentType(headerOf(answer, 'content-type'));
  const isZipped = encodingOf(answer) === 'gzip' && answer.body.length > 0;
  return { format, body: isZipped ? await inflate(answer.body, page, signal) : joined(answer.body) };
}

/** The body in one piece. The parser keeps it until the next page, so that it must not be a small part of a larger buffer. */
function joined(chunks: readonly Buffer[]): Buffer {
  const [only] = chunks;
  const isWholeBuffer = chunks.length === 1 && only !== undefined && only.length * 2 >= only.buffer.byteLength;
  return isWholeBuffer ? only : Buffer.concat(chunks);
}

function describeStatus(status: number): string {
  const what = `the target answered ${status}, only 200 counts`;
  if (status === 401 || status === 403) return `${what}: it wants credentials, or others (auth, http_headers)`;
  if (status === 404) return `${what}: is this the path of its metrics?`;
  if (status >= 300 && status < 400) return `${what}: it redirects without saying where to`;
  return what;
}

async function inflate(wire: readonly Buffer[], page: PageRequest, signal: AbortSignal): Promise<Buffer> {
  const { limitBytes, memory, expectedBytes } = page;
  const chunkSize = Math.max(leastInflateBytes, Math.min(limitBytes, Math.ceil(expectedBytes * expectedGrowth)));
  const gunzip = createGunzip({ chunkSize });
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    // Rows of small chunks are joined: each write is a trip to another thread.
    gunzip.end(joined(wire));
    for await (const chunk of gunzip) {
      signal.throwIfAborted();
      const bytes: Buffer = chunk;
      length += bytes.length;
      if (length >= limitBytes) throw new BodyTooLarge(limitBytes);
      memory.hold(bytes.length);
      chunks.push(bytes);
    }
    return joined(chunks);
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && String(cause.code).startsWith('Z_'))) throw cause;
    throw new Error(`the gzip body cannot be read: ${cause.message}`, { cause });
  } finally {
    gunzip.destroy();
  }
}
