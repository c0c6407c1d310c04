/** Reads a request's body as it is on the wire, within the route's limit and the server's budget. */
import type { IncomingMessage } from 'node:http';
import type { IngestProblem } from '../pipeline/ingest-route.ts';
import type { BodyPool } from './body-pool.ts';
import type { ByteLease } from './byte-budget.ts';

/** A body, or why there is none. */
export type BodyResult =
  | { readonly kind: 'whole'; readonly body: Buffer; giveBack?(): void }
  | { readonly kind: 'refused'; readonly problem: IngestProblem; readonly message: string };

/** What each problem is answered with. */
export const problemStatus: Readonly<Record<IngestProblem, number>> = {
  body_too_large: 413,
  inflated_too_large: 413,
  bad_encoding: 400,
  unsupported_encoding: 415,
  body_incomplete: 400,
  overloaded: 429,
};

const emptyBody: BodyResult = { kind: 'whole', body: Buffer.alloc(0) };

/** Makes the refusal for a problem. */
export function refuse(problem: IngestProblem, message: string): BodyResult {
  return { kind: 'refused', problem, message };
}

/** The Content-Length, or undefined for a chunked body; 0 when there is no body at all. Node has refused what is not a number. */
export function declaredLength(req: IncomingMessage): number | undefined {
  const declared = req.headers['content-length'];
  if (declared !== undefined) return Number(declared);
  return req.headers['transfer-encoding'] === undefined ? 0 : undefined;
}

/** Why a body of the declared length need not even be read, or undefined. */
export function refusedByLength(req: IncomingMessage, limitBytes: number, lease: ByteLease): BodyResult | undefined {
  const declared = declaredLength(req);
  if (declared === undefined) return undefined;
  if (declared > limitBytes) return tooLarge(limitBytes);
  return lease.hasRoomFor(declared) ? undefined : overloaded();
}

/**
 * Resolves with the whole body, or with the refusal as soon as it is certain; never rejects. After a refusal the rest of
 * the body still flows and is thrown away.
 */
export function readBody(
  req: IncomingMessage,
  { limitBytes, lease, pool }: { limitBytes: number; lease: ByteLease; pool?: BodyPool },
): Promise<BodyResult> {
  if (declaredLength(req) === 0) return Promise.resolve(emptyBody);
  return new Promise((resolve) => {
    // Chunks are slices of what the socket read: they are kept as they are and copied once, or not at all if there is one.
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    const settle = (result: BodyResult) => {
      req.off('data', onData);
      req.off('end', onEnd);
      req.off('close', onClose);
      req.resume();
      resolve(result);
    };
    const onData = (chunk: Buffer) => {
      sizeBytes += chunk.length;
      if (sizeBytes > limitBytes) settle(tooLarge(limitBytes));
      else if (lease.grow(chunk.length)) chunks.push(chunk);
      else settle(overloaded());
    };
    const onEnd = () => {
      const [first] = chunks;
      if (first !== undefined && chunks.length === 1) return settle({ kind: 'whole', body: first });
      if (pool === undefined) return settle({ kind: 'whole', body: Buffer.concat(chunks, sizeBytes) });
      const { bytes, giveBack } = pool.take(sizeBytes);
      let at = 0;
      for (const chunk of chunks) at += chunk.copy(bytes, at);
      settle({ kind: 'whole', body: bytes, giveBack });
    };
    const onClose = () =>
      settle(
        refuse('body_incomplete', `the connection ended after ${sizeBytes} bytes of a body that was not complete`),
      );
    req.on('data', onData);
    req.once('end', onEnd);
    req.once('close', onClose);
    // Without a listener a client that resets would be an uncaught error; 'close' follows and says it all.
    req.once('error', () => {});
  });
}

function tooLarge(limitBytes: number): BodyResult {
  return refuse('body_too_large', `the body is larger than ${limitBytes} bytes; send smaller batches`);
}

function overloaded(): BodyResult {
  return refuse('overloaded', 'too many request bodies are being worked on; send it again later');
}
