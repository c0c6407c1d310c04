/** The HTTP side: one POST, an answer read as far as it is of use, and network errors in words. */
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { Agent, type Dispatcher, request } from 'undici';
import type { Secret } from '../../config/secret.ts';
import { startDeadline } from '../../model/deadline.ts';
import type { Delivery } from '../../pipeline/component.ts';
import { backendText, maxAnswerBytes, secretsOfUrl } from '../../pipeline/delivery/backend-text.ts';
import { type Answer, deliveryOf } from '../../pipeline/delivery/retry-policy.ts';
import { errorCode } from '../../pipeline/file-system.ts';
import { printableAddress } from './address.ts';
import type { ZipkinOutputConfig } from './config.ts';

const connections = 8;
/** Bodies lie uncompressed in the spool: compressing happens off the event loop, when nobody waits for an acknowledgement. */
const compress = promisify(gzip);

export interface Connection {
  /** One POST of a JSON body, within the configured timeout. Never throws for what the network or the backend does. */
  post(body: Uint8Array, signal: AbortSignal): Promise<Delivery>;
  close(): Promise<void>;
}

/** Makes a connection that opens sockets when it is first used. */
export function createConnection(config: ZipkinOutputConfig, nowMs: () => number): Connection {
  const address = printableAddress(config.url);
  const headers: Record<string, string> = { 'content-type': 'application/json', 'user-agent': 'trawl' };
  if (config.compression === 'gzip') headers['content-encoding'] = 'gzip';
  for (const [name, value] of Object.entries(config.headers)) headers[name.toLowerCase()] = value.reveal();
  const secrets = [...Object.values(config.headers), ...secretsOfUrl(config.url)];
  let agent: Agent | undefined;
  return {
    async post(json, signal) {
      try {
        agent ??= createAgent(config);
      } catch (error) {
        return {
          kind: 'retry',
          cause: new Error(`${address}: ${messageOf(error)}; check ca_certs, cert and cert_key`),
        };
      }
      const deadline = startDeadline(signal, config.timeout);
      try {
        const body = config.compression === 'gzip' ? await compress(json, { level: 1 }) : json;
        const options = { method: 'POST', headers, body, signal: deadline.signal, dispatcher: agent } as const;
        return deliveryOf(await answerOf(await request(config.url, options), address, secrets), nowMs());
      } catch (error) {
        return lost(error, {
          address,
          hasExpired: deadline.signal.aborted && !signal.aborted,
          timeoutMs: config.timeout,
        });
      } finally {
        deadline.clear();
      }
    },
    async close() {
      await agent?.destroy();
    },
  };
}

function createAgent(config: ZipkinOutputConfig): Agent {
  const read = (path: string) => readFileSync(path, 'utf8');
  return new Agent({
    connections,
    pipelining: 1,
    keepAliveTimeout: 30_000,
    headersTimeout: config.timeout,
    bodyTimeout: config.timeout,
    connect: {
      timeout: config.timeout,
      rejectUnauthorized: !config.insecure_skip_verify,
      ...(config.ca_certs.length > 0 ? { ca: config.ca_certs.map(read) } : {}),
      ...(config.cert === '' ? {} : { cert: read(config.cert) }),
      ...(config.cert_key === '' ? {} : { key: read(config.cert_key) }),
      ...(config.server_name === '' ? {} : { servername: config.server_name }),
    },
  });
}

async function answerOf(
  response: Dispatcher.ResponseData,
  address: string,
  secrets: readonly Secret[],
): Promise<Answer> {
  const retryAfter = response.headers['retry-after'];
  return {
    status: response.statusCode,
    retryAfter: typeof retryAfter === 'string' ? retryAfter : undefined,
    address,
    text: await beginningOf(response, secrets),
  };
}

/** What a body says, as far as 4 KiB of it; the rest is not read, however much there is, and the connection is given up for it. */
async function beginningOf({ body, statusCode }: Dispatcher.ResponseData, secrets: readonly Secret[]): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  let isBroken = false;
  try {
    for await (const chunk of body) {
      const bytes = Buffer.from(chunk);
      chunks.push(bytes);
      sizeBytes += bytes.byteLength;
      if (sizeBytes >= maxAnswerBytes) break;
    }
  } catch (error) {
    // The status is the answer; a body that breaks off takes nothing away from it.
    isBroken = true;
    if (sizeBytes === 0 && statusCode >= 300) return `(its body could not be read: ${messageOf(error)})`;
  }
  if (statusCode >= 200 && statusCode < 300) return '';
  return backendText(Buffer.concat(chunks).subarray(0, maxAnswerBytes), {
    isCut: sizeBytes >= maxAnswerBytes || isBroken,
    secrets,
  });
}

/** Codes of failures before the request went out: nothing can have arrived. */
const unsentCodes: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);

interface Attempt {
  readonly address: string;
  readonly hasExpired: boolean;
  readonly timeoutMs: number;
}

function lost(error: unknown, attempt: Attempt): Delivery {
  const code = codeOf(error);
  const isUnsent = unsentCodes.has(code) || isCertificateProblem(code);
  const cause = new Error(`${attempt.address}: ${inWords(error, code, attempt)}; will be sent again`, { cause: error });
  return { kind: 'retry', mayHaveArrived: !isUnsent, cause };
}

/** Several addresses that all fail come as one error with the others inside. */
function codeOf(error: unknown): string {
  const code = errorCode(error);
  if (code !== '') return code;
  return error instanceof AggregateError ? errorCode(error.errors[0]) : '';
}

function isCertificateProblem(code: string): boolean {
  return /CERT|SIGNATURE|ERR_TLS|ERR_SSL|UNABLE_TO/.test(code);
}

function inWords(error: unknown, code: string, { hasExpired, timeoutMs }: Attempt): string {
  if (hasExpired || /TIMEOUT/.test(code)) return `no answer within ${timeoutMs} ms: it hangs or is overloaded`;
  if (code === 'ECONNREFUSED') return 'nothing listens there: is it running, and is the port right?';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'its name cannot be resolved: check url and DNS';
  if (code === 'ECONNRESET' || code === 'UND_ERR_SOCKET' || code === 'EPIPE') return 'the connection broke off';
  if (isCertificateProblem(code)) return `its certificate is not trusted: ${messageOf(error)}; check ca_certs`;
  return messageOf(error);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
