/** Inflates request bodies within a limit: small ones at once, larger ones on zlib's threads, a few at a time. */
import { promisify } from 'node:util';
import zlib from 'node:zlib';
import type { BodyResult } from './body.ts';
import { refuse } from './body.ts';
import type { ByteLease } from './byte-budget.ts';

export type Encoding = 'identity' | 'gzip' | 'deflate';

/** What a 415 names. */
export const supportedEncodings = 'gzip, deflate, identity';

/** The one coding of a Content-Encoding header, or undefined when it is another or there are several. */
export function parseEncoding(header: string | undefined): Encoding | undefined {
  if (header === undefined || header === '') return 'identity';
  const codings = header
    .split(',')
    .map((coding) => coding.trim().toLowerCase())
    .filter((coding) => coding !== '' && coding !== 'identity');
  const [coding] = codings;
  if (coding === undefined) return 'identity';
  if (codings.length > 1) return undefined;
  if (coding === 'gzip' || coding === 'x-gzip') return 'gzip';
  return coding === 'deflate' ? 'deflate' : undefined;
}

// Up to here a call that blocks is cheaper than a turn over zlib's threads, which also sync the spool (bench/server.ts).
const inlineInputBytes = 128 * 1024;
const inlineOutputBytes = 512 * 1024;
const streamChunkBytes = 128 * 1024;
const atOnce = 2;

export interface InflateOptions {
  readonly encoding: Encoding;
  readonly limitBytes: number;
  readonly lease: ByteLease;
  /** Its signal is asked for only when there is something to wait for. */
  readonly exchange: { readonly signal: AbortSignal };
}

/** Gives the body as its sender wrote it. The inflated bytes are added to the lease; `limitBytes` is for all gzip members together. */
export type Inflate = (body: Buffer, options: InflateOptions) => BodyResult | Promise<BodyResult>;

/** Makes the function that inflates for one server: how many large bodies are inflated at once is counted per server. */
export function createInflate(): Inflate {
  const gate = createGate(atOnce);
  return (body, options) => {
    if (options.encoding === 'identity' || body.length === 0) return { kind: 'whole', body };
    if (body.length <= inlineInputBytes) {
      const result = inflateInline(body, options);
      if (result !== undefined) return result;
    }
    return gate.run(() => inflateOnThreads(body, options), options.exchange.signal);
  };
}

/** Undefined when it turned out larger than is done inline: then half a millisecond was lost. */
function inflateInline(body: Buffer, options: InflateOptions): BodyResult | undefined {
  const cap = Math.min(options.limitBytes, inlineOutputBytes);
  const chunkSize = Math.max(Math.min(sizeHint(body, options.encoding) + 64, cap), 1024);
  try {
    const output = inflateWhole(body, options.encoding, { maxOutputLength: cap, chunkSize });
    // The output is a view of a buffer of chunkSize: a hint that lied must not hold more memory than is counted.
    const inflated = output.length * 2 < chunkSize ? Buffer.from(output) : output;
    return options.lease.grow(inflated.length)
      ? { kind: 'whole', body: inflated }
      : refuse('overloaded', 'too many request bodies are being worked on; send it again later');
  } catch (error) {
    if (codeOf(error) !== 'ERR_BUFFER_TOO_LARGE') return badEncoding(options.encoding, error);
    return cap === options.limitBytes ? inflatedTooLarge(options.limitBytes) : undefined;
  }
}

/**
 * gzip ends with the length of what was packed. It is the sender's word (and the last member's), so it only chooses the
 * size of the first output buffer: the right guess saves growing and joining.
 */
function sizeHint(body: Buffer, encoding: Encoding): number {
  if (encoding === 'gzip' && body.length >= 18) return body.readUInt32LE(body.length - 4);
  return body.length * 8;
}

function inflateWhole(body: Buffer, encoding: Encoding, options: zlib.ZlibOptions): Buffer {
  if (encoding === 'gzip') return zlib.gunzipSync(body, options);
  return hasZlibHeader(body) ? zlib.inflateSync(body, options) : zlib.inflateRawSync(body, options);
}

/**
 * RFC 1950: `deflate` means the zlib format, but many senders leave its header out. The two cannot be mixed up: as the
 * start of a raw stream a zlib header would be a stored block with padding that no encoder writes.
 */
function hasZlibHeader(body: Buffer): boolean {
  const [first = 0, second = 0] = body;
  return (first & 0x0f) === 8 && first >> 4 <= 7 && (first * 256 + second) % 31 === 0;
}

function inflateOnThreads(body: Buffer, options: InflateOptions): Promise<BodyResult> {
  return new Promise((resolve) => {
    const engine = createEngine(body, options.encoding);
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    const settle = (result: BodyResult) => {
      options.exchange.signal.removeEventListener('abort', onAbort);
      engine.destroy();
      resolve(result);
    };
    const onAbort = () => settle(refuse('body_incomplete', 'the client left before its body was inflated'));
    engine.on('data', (chunk: Buffer) => {
      sizeBytes += chunk.length;
      if (sizeBytes > options.limitBytes) settle(inflatedTooLarge(options.limitBytes));
      else if (options.lease.grow(chunk.length)) chunks.push(chunk);
      else settle(refuse('overloaded', 'too many request bodies are being worked on; send it again later'));
    });
    engine.once('end', () => settle({ kind: 'whole', body: Buffer.concat(chunks, sizeBytes) }));
    engine.on('error', (error) => settle(badEncoding(options.encoding, error)));
    options.exchange.signal.addEventListener('abort', onAbort, { once: true });
    engine.end(body);
  });
}

function createEngine(body: Buffer, encoding: Encoding): zlib.Gunzip | zlib.Inflate | zlib.InflateRaw {
  const options = { chunkSize: streamChunkBytes };
  if (encoding === 'gzip') return zlib.createGunzip(options);
  return hasZlibHeader(body) ? zlib.createInflate(options) : zlib.createInflateRaw(options);
}

function badEncoding(encoding: Encoding, error: unknown): BodyResult {
  const why = error instanceof Error ? error.message : String(error);
  return refuse('bad_encoding', `the body is not what Content-Encoding: ${encoding} says (${why})`);
}

function inflatedTooLarge(limitBytes: number): BodyResult {
  return refuse('inflated_too_large', `the body inflates to more than ${limitBytes} bytes; send smaller batches`);
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

interface Gate {
  run(work: () => Promise<BodyResult>, signal: AbortSignal): Promise<BodyResult>;
}

/** Lets `width` run at once; who waits waits in memory that the byte budget has counted, and no longer than its signal. */
function createGate(width: number): Gate {
  let running = 0;
  const waiting = new Set<() => void>();
  const enter = (signal: AbortSignal) =>
    new Promise<boolean>((resolve) => {
      const onAbort = () => {
        waiting.delete(go);
        resolve(false);
      };
      const go = () => {
        signal.removeEventListener('abort', onAbort);
        resolve(true);
      };
      waiting.add(go);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  const leave = () => {
    const [next] = waiting;
    if (next === undefined) {
      running -= 1;
      return;
    }
    waiting.delete(next);
    next();
  };
  return {
    async run(work, signal) {
      if (running < width) running += 1;
      else if (!(await enter(signal))) return refuse('body_incomplete', 'the client left before its body was inflated');
      try {
        return await work();
      } finally {
        leave();
      }
    },
  };
}

const gzipAsync: (body: Buffer, options: zlib.ZlibOptions) => Promise<Buffer> = promisify(zlib.gzip);
const compressFromBytes = 2048;
/** So little is packed in less time than it takes to hand it to another thread and back (a trace by its id is 4 KB). */
const compressAtOnceBytes = 16 * 1024;

/** Packs an answer if it is worth it and the client asked for it; undefined when it is to be sent as it is. */
export async function packAnswer(body: Buffer, acceptEncoding: string | undefined): Promise<Buffer | undefined> {
  if (body.length < compressFromBytes || !acceptsGzip(acceptEncoding)) return undefined;
  return body.length <= compressAtOnceBytes ? zlib.gzipSync(body, { level: 1 }) : await gzipAsync(body, { level: 1 });
}

/** What packs an answer while it is sent, where the client asked for it; undefined when it is to be sent as it is. */
export const createPacker = (acceptEncoding: string | undefined): zlib.Gzip | undefined =>
  acceptsGzip(acceptEncoding) ? zlib.createGzip({ level: 1, chunkSize: 64 * 1024 }) : undefined;

/** Whether an Accept-Encoding header allows gzip (RFC 9110 section 12.5.3; `gzip;q=0` forbids it). */
export function acceptsGzip(header: string | undefined): boolean {
  if (header === undefined) return false;
  return header.split(',').some((part) => {
    const [coding = '', ...parameters] = part.split(';').map((piece) => piece.trim().toLowerCase());
    const isRefused = parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter));
    return (coding === 'gzip' || coding === '*') && !isRefused;
  });
}
