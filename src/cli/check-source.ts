/** Where `trawl check metrics` takes a page from: a file, standard input, or a target that is asked as a scrape asks it. */
import { createReadStream } from 'node:fs';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { Agent, type Dispatcher, request } from 'undici';
import { type ExpositionFormat, formatOfContentType } from '../codec/exposition/exposition.ts';
import { errorCode } from '../pipeline/file-system.ts';
import { ApiError, type Terminal } from './command.ts';
import { version } from './version.ts';

export interface CheckedPage {
  readonly body: Buffer;
  /** What the source says its format is; undefined where it says nothing, as a file does. */
  readonly format: ExpositionFormat | undefined;
  /** How it was answered, e.g. `HTTP 200, text/plain; version=0.0.4`. */
  readonly answer: string | undefined;
}

export interface FetchOptions {
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
}

/** More than a target may answer a scrape (`body_size_limit` is 16 MiB unless it is set). */
export const pageLimitBytes = 64 * 1024 * 1024;
const maxRedirects = 3;
const accept =
  'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,' +
  'text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2';
/** `127.0.0.1:9100/metrics`, as it is written into a browser. */
const looksLikeAddress = /^(?:[\w.-]+|\[[\da-fA-F:]+\]):\d{1,5}(?:\/|$)/;
const noAnswer: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there (connection refused): is the program up, and is this its port?',
  ENOTFOUND: 'the name of its host cannot be resolved: is it spelled right?',
  EAI_AGAIN: 'the name of its host cannot be resolved now: the DNS does not answer',
  ECONNRESET: 'the connection was closed before the answer was complete',
  UND_ERR_SOCKET: 'the connection was closed before the answer was complete',
  EHOSTUNREACH: 'there is no route to its host',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS: write http://',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'it does not speak TLS: write http://',
};
const gzipStart = Buffer.from([0x1f, 0x8b]);

/** Reads a file, or standard input for `-`; what is packed with gzip is unpacked. Throws an ApiError. */
export async function readPageFile(name: string, terminal: Terminal): Promise<CheckedPage> {
  try {
    const body = await readAll(name === '-' ? (terminal.input?.() ?? []) : createReadStream(name));
    return { body: await unpack(body), format: undefined, answer: undefined };
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT')
      throw new ApiError(
        `there is no such file${looksLikeAddress.test(name) ? `; to ask a program, write http://${name}` : ''}`,
        {
          cause,
        },
      );
    if (errorCode(cause) === 'EISDIR') throw new ApiError('this is a directory', { cause });
    if (errorCode(cause) === 'EACCES') throw new ApiError('may not be read by this user', { cause });
    throw cause;
  }
}

/** Fetches a page within the timeout, redirects within the same host and port only. Throws an ApiError. */
export async function fetchCheckedPage(address: string, { headers, timeoutMs }: FetchOptions): Promise<CheckedPage> {
  const signal = AbortSignal.timeout(timeoutMs);
  const dispatcher = new Agent({ connect: { timeout: timeoutMs } });
  try {
    const asked = { accept, 'accept-encoding': 'gzip', 'user-agent': `trawl/${version}`, ...headers };
    let url = new URL(address);
    for (let hops = 0; ; hops++) {
      const response = await request(url, { headers: asked, signal, dispatcher });
      const { location } = response.headers;
      if (![301, 302, 303, 307, 308].includes(response.statusCode) || typeof location !== 'string')
        return await readAnswer(response);
      await response.body.dump({ limit: 64 * 1024, signal });
      url = nextUrl(url, location, hops);
    }
  } catch (cause) {
    if (cause instanceof ApiError) throw cause;
    if (signal.aborted) throw new ApiError(`no whole answer within ${timeoutMs / 1000} s`, { cause });
    const code = errorCode(cause);
    const known = code === undefined ? undefined : noAnswer[code];
    const said = code ?? (cause instanceof Error ? cause.message : String(cause));
    throw new ApiError(`no answer: ${known ?? said}`, { cause });
  } finally {
    await dispatcher.destroy();
  }
}

function nextUrl(from: URL, location: string, hops: number): URL {
  const to = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  if (to === undefined || to.protocol !== from.protocol || to.host !== from.host)
    throw new ApiError(
      `redirects to ${JSON.stringify(location.slice(0, 200))}, another host or port, as no scrape follows`,
    );
  if (hops >= maxRedirects) throw new ApiError(`redirects more than ${maxRedirects} times`);
  return to;
}

async function readAnswer(response: Dispatcher.ResponseData): Promise<CheckedPage> {
  const contentType = String(response.headers['content-type'] ?? '');
  const answer = `HTTP ${response.statusCode}, ${contentType === '' ? 'no Content-Type' : contentType.slice(0, 200)}`;
  const body = await readAll(response.body);
  if (response.statusCode !== 200) throw new ApiError(`${answer}: a scrape takes status 200 only`);
  const encoding = String(response.headers['content-encoding'] ?? '').toLowerCase();
  if (encoding === 'gzip') return { body: await unpack(body), format: formatOfContentType(contentType), answer };
  if (encoding === '' || encoding === 'identity') return { body, format: formatOfContentType(contentType), answer };
  throw new ApiError(`${answer}: Content-Encoding ${JSON.stringify(encoding.slice(0, 40))} is not read, only gzip is`);
}

async function readAll(source: AsyncIterable<unknown> | Iterable<unknown>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of source) {
    const bytes = chunk instanceof Uint8Array ? Buffer.from(chunk) : Buffer.from(String(chunk));
    sizeBytes += bytes.length;
    if (sizeBytes > pageLimitBytes) throw new ApiError(`larger than ${pageLimitBytes / 1024 / 1024} MiB`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}

async function unpack(body: Buffer): Promise<Buffer> {
  if (!body.subarray(0, 2).equals(gzipStart)) return body;
  try {
    return await promisify(gunzip)(body, { maxOutputLength: pageLimitBytes });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ApiError(`cannot be unpacked with gzip (${reason})`, { cause });
  }
}
