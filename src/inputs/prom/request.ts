/** One GET of an exposition: redirects by hand, only status 200, size caps on the wire and inflated. */
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { type Dispatcher, request } from 'undici';

const gunzipAsync = promisify(gunzip);

/** A scrape may be sent on three times, but never to another host or port: the target is who the configuration names. */
const maxRedirects = 3;

/** What Prometheus 2.42 sends, less what cannot be read yet. */
const acceptedTypes = 'text/plain;version=0.0.4;q=0.5,*/*;q=0.1';

export interface PageRequest {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** A file with a bearer token, read for every scrape so that a renewed one is taken up. */
  readonly tokenFile: string | undefined;
  readonly timeoutMs: number;
  /** What is inflated may have fewer bytes than this. */
  readonly limitBytes: number;
  readonly dispatcher: Dispatcher;
}

/** Fetches a page. Every error's message says in plain words what the target did. */
export async function fetchPage(page: PageRequest, signal: AbortSignal): Promise<Buffer> {
  const headers: Record<string, string> = {
    accept: acceptedTypes,
    'accept-encoding': 'gzip',
    'user-agent': 'Trawl',
    'x-prometheus-scrape-timeout-seconds': String(page.timeoutMs / 1000),
    ...page.headers,
  };
  if (page.tokenFile !== undefined) {
    headers['authorization'] = `Bearer ${(await readFile(page.tokenFile, 'utf8')).trim()}`;
  }
  let url = page.url;
  for (let hops = 0; ; hops++) {
    const response = await request(url, { headers, signal, dispatcher: page.dispatcher });
    const location = redirectLocation(response);
    if (location === undefined) return await readPage(response, page.limitBytes, signal);
    await discard(response, signal);
    url = nextUrl(url, location, hops);
  }
}

function redirectLocation(response: Dispatcher.ResponseData): string | undefined {
  if (![301, 302, 303, 307, 308].includes(response.statusCode)) return undefined;
  const location = response.headers['location'];
  return typeof location === 'string' ? location : undefined;
}

function nextUrl(from: URL, location: string, hops: number): URL {
  const to = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  if (to === undefined) throw new Error(`the target redirects to "${location}", which is no URL`);
  if (to.protocol !== from.protocol || to.host !== from.host) {
    throw new Error(
      `the target redirects to ${to.protocol}//${to.host}, another host or port than ${from.host}: not followed`,
    );
  }
  if (hops >= maxRedirects) throw new Error(`the target redirected more than ${maxRedirects} times`);
  return to;
}

/** Undici warns of bodies that nobody reads; a body that does not end soon costs the connection instead. */
async function discard(response: Dispatcher.ResponseData, signal: AbortSignal): Promise<void> {
  await response.body.dump({ limit: 64 * 1024, signal });
}

async function readPage(response: Dispatcher.ResponseData, limitBytes: number, signal: AbortSignal): Promise<Buffer> {
  if (response.statusCode !== 200) {
    await discard(response, signal);
    throw new Error(`the target answered ${response.statusCode}, only 200 counts`);
  }
  const type =
    String(response.headers['content-type'] ?? '')
      .split(';', 1)[0]
      ?.trim()
      .toLowerCase() ?? '';
  if (type === 'application/openmetrics-text' || type === 'application/vnd.google.protobuf') {
    await discard(response, signal);
    throw new Error(`the target answered ${type} although text/plain was asked for`);
  }
  const encoding = String(response.headers['content-encoding'] ?? 'identity')
    .trim()
    .toLowerCase();
  if (encoding !== 'identity' && encoding !== 'gzip' && encoding !== '') {
    await discard(response, signal);
    throw new Error(`the target answered with Content-Encoding "${encoding}"; only gzip is read`);
  }
  const bytes = await readBytes(response.body, limitBytes);
  return encoding === 'gzip' && bytes.length > 0 ? await inflate(bytes, limitBytes) : bytes;
}

async function readBytes(body: Dispatcher.ResponseData['body'], limitBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk);
    length += bytes.length;
    // Leaving the loop destroys the body, and with it the connection.
    if (length >= limitBytes) throw tooLarge(limitBytes);
    chunks.push(bytes);
  }
  const [only] = chunks;
  return chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks, length);
}

async function inflate(bytes: Buffer, limitBytes: number): Promise<Buffer> {
  try {
    return await gunzipAsync(bytes, { maxOutputLength: limitBytes - 1 });
  } catch (cause) {
    if (cause instanceof RangeError) throw tooLarge(limitBytes);
    throw new Error(`the gzip body cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}

const tooLarge = (limitBytes: number) =>
  new Error(`the exposition has ${limitBytes} bytes or more, the limit of body_size_limit`);
