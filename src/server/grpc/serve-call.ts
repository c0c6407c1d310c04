/** Takes a call from its headers to its answer: the same limits and the same routes as a POST has. */
import type { Logger } from 'pino';
import type { IngestProblem, IngestResponse, IngestRoute } from '../../pipeline/ingest-route.ts';
import type { BodyPool } from '../body-pool.ts';
import type { ByteBudget, ByteLease } from '../byte-budget.ts';
import type { Encoding, Inflate } from '../inflate.ts';
import { printable } from '../not-found.ts';
import { acceptedEncodings, type Call } from './call.ts';
import { createMessageReader, type MessageReader, type MessageResult, overloaded, refuse } from './message.ts';
import type { GrpcCode, GrpcStatus } from './status.ts';

export interface ServingOptions {
  readonly budget: ByteBudget;
  readonly pool: BodyPool;
  readonly inflate: Inflate;
  readonly nowMs: () => number;
  readonly log: Logger;
}

type WholeMessage = Extract<MessageResult, { kind: 'whole' }>;

/** Answers the call; never rejects. Its content type, path and deadline have been looked at. */
export async function serveCall(call: Call, route: IngestRoute, options: ServingOptions): Promise<void> {
  const lease = options.budget.lease();
  try {
    await take(call, route, lease, options);
  } catch (error) {
    options.log.error({ err: error, path: printable(call.path) }, 'An input failed on a call; its sender was told.');
    call.refuse({ code: 'INTERNAL', message: 'internal error; the log says more' });
  } finally {
    lease.release();
  }
}

async function take(call: Call, route: IngestRoute, lease: ByteLease, options: ServingOptions): Promise<void> {
  const reject = (problem: IngestProblem, status: GrpcStatus) => {
    route.refused(problem, status.message);
    call.refuse(status);
  };
  const named = call.headers['grpc-encoding'];
  const encoding = parseEncoding(named);
  if (encoding === undefined) {
    const message = `grpc-encoding ${printable(String(named))} is not understood; send one of ${acceptedEncodings}`;
    reject('unsupported_encoding', { code: 'UNIMPLEMENTED', message });
    return;
  }
  const reader = createMessageReader({ limitBytes: route.bodyLimitBytes, lease, pool: options.pool });
  const read = await readMessage(call, reader);
  if (read.kind === 'refused') {
    reject(read.problem, read.status);
    return;
  }
  call.handlingSinceMs = options.nowMs();
  const message = await unpack(call, read, { encoding, limitBytes: route.inflatedLimitBytes, lease }, options);
  if (message.kind === 'refused') {
    reject(message.problem, message.status);
    return;
  }
  const response = await route.handle({
    path: call.path,
    mediaType: 'application/grpc',
    body: message.body,
    get signal() {
      return call.signal;
    },
  });
  read.giveBack?.();
  if (response.status === 200) call.reply(bytesOf(response.body));
  else call.refuse(statusOf(response));
}

/** Resolves with the message, or with the refusal as soon as it is certain; never rejects. */
function readMessage({ stream }: Call, reader: MessageReader): Promise<MessageResult> {
  return new Promise((resolve) => {
    const settle = (result: MessageResult) => {
      stream.off('data', onData);
      stream.off('end', onEnd);
      stream.off('close', onClose);
      resolve(result);
    };
    const onData = (chunk: Buffer) => {
      const refusal = reader.push(chunk);
      if (refusal !== undefined) settle(refusal);
    };
    // A stream that was reset ends too, before it closes.
    const onEnd = () => (stream.aborted || stream.rstCode !== 0 ? onClose() : settle(reader.end()));
    const onClose = () =>
      settle(refuse('body_incomplete', { code: 'CANCELLED', message: 'the client left before its message was whole' }));
    stream.on('data', onData);
    stream.once('end', onEnd);
    stream.once('close', onClose);
  });
}

/** No encoding stands for identity, as the protocol has it. */
function parseEncoding(header: string | string[] | undefined): Encoding | undefined {
  if (header === undefined || header === 'identity') return 'identity';
  return header === 'gzip' || header === 'deflate' ? header : undefined;
}

interface Packing {
  readonly encoding: Encoding;
  readonly limitBytes: number;
  readonly lease: ByteLease;
}

async function unpack(
  call: Call,
  message: WholeMessage,
  packing: Packing,
  options: ServingOptions,
): Promise<MessageResult> {
  // A message may go unpacked in a call that names an encoding.
  if (!message.isCompressed) return message;
  const { encoding } = packing;
  if (encoding === 'identity') {
    const text = 'the message says that it is compressed, but no grpc-encoding says how';
    return refuse('bad_encoding', { code: 'INTERNAL', message: text });
  }
  const inflated = await options.inflate(message.body, { ...packing, exchange: call });
  if (inflated.kind === 'whole') return { ...message, body: inflated.body };
  switch (inflated.problem) {
    case 'inflated_too_large':
      return refuse(inflated.problem, { code: 'RESOURCE_EXHAUSTED', message: inflated.message });
    case 'overloaded':
      return overloaded();
    case 'bad_encoding':
      return refuse(inflated.problem, {
        code: 'INTERNAL',
        message: `the message is not the ${encoding} that grpc-encoding says`,
      });
    default:
      return refuse(inflated.problem, { code: 'CANCELLED', message: inflated.message });
  }
}

function bytesOf(body: IngestResponse['body']): Uint8Array {
  return typeof body === 'string' ? Buffer.from(body) : (body ?? new Uint8Array());
}

/**
 * A route's refusal as gRPC says it. OTLP has a sender come again after UNAVAILABLE; after RESOURCE_EXHAUSTED it is to give up unless there
 * is a RetryInfo (https://opentelemetry.io/docs/specs/otlp/#failures), which not every sender looks for.
 */
function statusOf(response: IngestResponse): GrpcStatus {
  const { body = '', retryAfterMs } = response;
  const message = (typeof body === 'string' ? body : Buffer.from(body).toString()).trimEnd();
  const status = { code: codeOf(response.status), message };
  return retryAfterMs === undefined ? status : { ...status, retryAfterMs };
}

function codeOf(status: number): GrpcCode {
  if (status === 429 || status === 503) return 'UNAVAILABLE';
  if (status === 413) return 'RESOURCE_EXHAUSTED';
  if (status === 404) return 'NOT_FOUND';
  return status < 500 ? 'INVALID_ARGUMENT' : 'INTERNAL';
}
