/** Reads the one message of a unary call out of its stream: a flag, a length of four bytes, and the message itself. */
import type { IngestProblem } from '../../pipeline/ingest-route.ts';
import type { BodyPool } from '../body-pool.ts';
import type { ByteLease } from '../byte-budget.ts';
import type { GrpcStatus } from './status.ts';

const prefixBytes = 5;
/** Memory grows by what came, not by what the prefix claims: a claim costs nothing. */
const growth = 8;
const leastBytes = 1024;
/** Below this a pool's smallest piece would be more than what is asked for. */
const pooledFromBytes = 16 * 1024;
const overloadedRetryMs = 1_000;

/** A message, or why there is none. */
export type MessageResult =
  | { readonly kind: 'whole'; readonly isCompressed: boolean; readonly body: Buffer; giveBack?(): void }
  | MessageRefusal;

export interface MessageRefusal {
  readonly kind: 'refused';
  readonly problem: IngestProblem;
  readonly status: GrpcStatus;
}

export interface MessageReader {
  /** Takes what came; a refusal as soon as it is certain. */
  push(chunk: Buffer): MessageRefusal | undefined;
  /** To be called when the client has said that nothing more comes. */
  end(): MessageResult;
}

export interface MessageOptions {
  readonly limitBytes: number;
  readonly lease: ByteLease;
  readonly pool: BodyPool;
}

interface Growing {
  bytes: Buffer;
  giveBack: (() => void) | undefined;
}

export function refuse(problem: IngestProblem, status: GrpcStatus): MessageRefusal {
  return { kind: 'refused', problem, status };
}

/** The refusal for want of room, which is the server's and passes. */
export function overloaded(): MessageRefusal {
  const message = 'too many requests are being worked on; send it again later';
  return refuse('overloaded', { code: 'UNAVAILABLE', message, retryAfterMs: overloadedRetryMs });
}

/** Makes a reader. A message that comes in one piece is not copied. */
export function createMessageReader({ limitBytes, lease, pool }: MessageOptions): MessageReader {
  const prefix = Buffer.alloc(prefixBytes);
  let prefixed = 0;
  let lengthBytes = 0;
  let received = 0;
  let whole: Buffer | undefined;
  let growing: Growing | undefined;

  const takePrefix = (chunk: Buffer): MessageRefusal | undefined => {
    if (prefix[0] !== undefined && prefix[0] > 1)
      return refuse('body_incomplete', { code: 'INTERNAL', message: `${prefix[0]} is no compressed-flag: 0 or 1` });
    lengthBytes = prefix.readUInt32BE(1);
    if (lengthBytes > limitBytes) {
      const message = `the message of ${lengthBytes} bytes is larger than ${limitBytes} bytes; send smaller batches`;
      return refuse('body_too_large', { code: 'RESOURCE_EXHAUSTED', message });
    }
    if (chunk.length === lengthBytes) {
      if (!lease.grow(lengthBytes)) return overloaded();
      whole = chunk;
      received = lengthBytes;
    }
    return undefined;
  };

  /** False when there is no room. */
  const makeRoom = (neededBytes: number): boolean => {
    if (growing !== undefined && growing.bytes.length >= neededBytes) return true;
    const capacity = Math.min(lengthBytes, Math.max(neededBytes * growth, leastBytes));
    if (!lease.grow(capacity - (growing?.bytes.length ?? 0))) return false;
    const larger: Growing =
      capacity < pooledFromBytes
        ? { bytes: Buffer.allocUnsafe(capacity), giveBack: undefined }
        : { ...pool.take(capacity) };
    growing?.bytes.copy(larger.bytes, 0, 0, received);
    growing?.giveBack?.();
    growing = larger;
    return true;
  };

  return {
    push(chunk) {
      let rest = chunk;
      if (prefixed < prefixBytes) {
        const taken = chunk.copy(prefix, prefixed, 0, prefixBytes - prefixed);
        prefixed += taken;
        if (prefixed < prefixBytes) return undefined;
        rest = chunk.subarray(taken);
        const refusal = takePrefix(rest);
        if (refusal !== undefined || whole !== undefined) return refusal;
      }
      if (rest.length === 0) return undefined;
      if (received + rest.length > lengthBytes) {
        return refuse('body_incomplete', { code: 'UNIMPLEMENTED', message: 'the call takes one message; more came' });
      }
      if (!makeRoom(received + rest.length)) return overloaded();
      if (growing !== undefined) received += rest.copy(growing.bytes, received);
      return undefined;
    },
    end() {
      if (prefixed === 0)
        return refuse('body_incomplete', { code: 'UNIMPLEMENTED', message: 'the call takes one message; none came' });
      if (prefixed < prefixBytes || received < lengthBytes) {
        const message = `the message ended after ${received} of ${lengthBytes} bytes`;
        return refuse('body_incomplete', { code: 'INTERNAL', message });
      }
      const isCompressed = prefix[0] === 1;
      const body = whole ?? growing?.bytes ?? Buffer.alloc(0);
      const giveBack = growing?.giveBack;
      return giveBack === undefined
        ? { kind: 'whole', isCompressed, body }
        : { kind: 'whole', isCompressed, body, giveBack };
    },
  };
}

/** A message as it goes out. */
export function frameMessage(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(prefixBytes + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, prefixBytes);
  return frame;
}
