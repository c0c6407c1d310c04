/** One GET of an exposition: redirects by hand, only status 200, size caps on the wire and inflated. */
import { readFile } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { type Dispatcher, request } from 'undici';
import type { ExpositionFormat } from '../../codec/exposition/exposition.ts';
import { describeRequestError } from './request-error.ts';
import type { MemoryClaim } from './scrape-memory.ts';
import { userAgent } from './user-agent.ts';

/** A scrape may be sent on three times, but never to another host or port: the target is who the configuration names. */
const maxRedirects = 3;
const inflateChunkBytes = 256 * 1024;

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
  readonly dispatcher: Dispatcher;
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
    try {
      const response = await request(url, { headers, signal, dispatcher: page.dispatcher });
      const location = redirectLocation(response);
      if (location === undefined) return await readPage(response, page);
      await discard(response, signal);
      url = nextUrl(url, location, hops);
    } catch (cause) {
      signal.throwIfAborted();
      throw describeRequestError(cause, url.host);
    }
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

function redirectLocation(response: Dispatcher.ResponseData): string | undefined {
  if (![301, 302, 303, 307, 308].includes(response.statusCode)) return undefined;
  const location = response.headers['location'];
  return typeof location === 'string' ? location : undefined;
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

/** Undici warns of bodies that nobody reads; a body that does not end soon costs the connection instead. */
async function discard(response: Dispatcher.ResponseData, signal: AbortSignal): Promise<void> {
  await response.body.dump({ limit: 64 * 1024, signal });
}

const refuse = (response: Dispatcher.ResponseData, why: string): never => {
  // A body that is not wanted is cut off with its connection; what that says is no news.
  response.body.on('error', () => undefined);
  response.body.destroy();
  throw new Error(why);
};

function readPage(response: Dispatcher.ResponseData, page: PageRequest): Promise<Page> {
  if (response.statusCode !== 200) return refuse(response, describeStatus(response.statusCode));
  const format = readFormat(response, page);
  const told = String(response.headers['content-encoding'] ?? '');
  const encoding = told.trim().toLowerCase();
  if (encoding !== '' && encoding !== 'identity' && encoding !== 'gzip') {
    return refuse(response, `the target answered with Content-Encoding "${told}"; only gzip is read`);
  }
  return (encoding === 'gzip' ? inflate(response.body, page) : readBytes(response.body, page)).then((body) => ({
    body,
    format,
  }));
}

function describeStatus(status: number): string {
  const what = `the target answered ${status}, only 200 counts`;
  if (status === 401 || status === 403) return `${what}: it wants credentials, or others (auth, http_headers)`;
  if (status === 404) return `${what}: is this the path of its metrics?`;
  if (status >= 300 && status < 400) return `${what}: it redirects without saying where to`;
  return what;
}

function readFormat(response: Dispatcher.ResponseData, page: PageRequest): ExpositionFormat {
  const told = String(response.headers['content-type'] ?? '');
  const type = told.split(';', 1)[0]?.trim().toLowerCase();
  if (type === 'application/openmetrics-text') return 'openmetrics';
  if (type === 'application/vnd.google.protobuf') {
    return refuse(response, "the target answered in Prometheus's protobuf format, which was not asked for");
  }
  if (type !== 'text/plain' && !page.fallsBackToText) {
    return refuse(response, `the target answered with Content-Type "${told}" and fallback_to_text is off`);
  }
  return 'text';
}

/** Reads a body into memory; leaving the loop destroys the stream, and with it the connection. */
async function readBytes(body: Readable, { limitBytes, memory }: PageRequest): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk);
    length += bytes.length;
    if (length >= limitBytes) throw new BodyTooLarge(limitBytes);
    memory.hold(bytes.length);
    chunks.push(bytes);
  }
  const [only] = chunks;
  return chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks, length);
}

async function inflate(body: Readable, page: PageRequest): Promise<Buffer> {
  const gunzip = createGunzip({ chunkSize: inflateChunkBytes });
  let wireError: unknown;
  body.on('error', (cause) => {
    wireError = cause;
    gunzip.destroy(cause);
  });
  try {
    return await readBytes(body.pipe(gunzip), page);
  } catch (cause) {
    if (wireError !== undefined) throw wireError;
    body.destroy();
    if (!(cause instanceof Error && 'code' in cause && String(cause.code).startsWith('Z_'))) throw cause;
    throw new Error(`the gzip body cannot be read: ${cause.message}`, { cause });
  } finally {
    gunzip.destroy();
  }
}
