/** One call: its stream, how long it may take, and its one answer. */
import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { frameMessage } from './message.ts';
import { type GrpcCode, type GrpcStatus, statusHeaders } from './status.ts';

/** What is understood; also told to the client with every answer. */
export const acceptedEncodings = 'identity,deflate,gzip';

const answerHeaders = {
  ':status': 200,
  'content-type': 'application/grpc',
  'grpc-accept-encoding': acceptedEncodings,
} as const;

/** What a call that ended well ends with. */
const okTrailers = { 'grpc-status': '0' } as const;

export interface CallParts {
  readonly stream: ServerHttp2Stream;
  readonly headers: IncomingHttpHeaders;
  readonly startMs: number;
}

/** A class for its state and because one is made for each call: bench/grpc.ts. */
export class Call {
  readonly stream: ServerHttp2Stream;
  readonly headers: IncomingHttpHeaders;
  readonly path: string;
  readonly startMs: number;
  /** Since when a handler is at work on the message, which has arrived. */
  handlingSinceMs: number | undefined = undefined;
  /** How the call ended, as it was told to the client; undefined until then. */
  answered: GrpcCode | undefined = undefined;
  /** Since when the client has an answer to read. */
  answeredMs: number | undefined = undefined;
  #controller: AbortController | undefined = undefined;
  #abortedWith: Error | undefined = undefined;
  readonly #nowMs: () => number;

  constructor({ stream, headers, startMs }: CallParts, nowMs: () => number) {
    this.stream = stream;
    this.headers = headers;
    this.path = headers[':path'] ?? '';
    this.startMs = startMs;
    this.#nowMs = nowMs;
  }

  /** Aborts when the client leaves, at a deadline, and when the server stops without waiting. Made when it is first asked for. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#abortedWith !== undefined) this.#controller.abort(this.#abortedWith);
    }
    return this.#controller.signal;
  }

  abort(why: Error): void {
    this.#abortedWith ??= why;
    this.#controller?.abort(why);
  }

  /** Ends the call well, with its message; unless the client has left or was answered already. */
  reply(message: Uint8Array): void {
    const { stream } = this;
    if (!this.#begin('OK')) return;
    stream.respond(answerHeaders, { waitForTrailers: true });
    stream.once('wantTrailers', () => stream.sendTrailers(okTrailers));
    stream.end(frameMessage(message));
  }

  /** Ends the call without a message, and asks the client to send no more of its own. */
  refuse(status: GrpcStatus): void {
    if (!this.#begin(status.code)) return;
    this.stream.respond({ ...answerHeaders, ...statusHeaders(status) }, { endStream: true });
    this.#sendNoMore();
  }

  /** Answers what is no call, in HTTP's words. */
  refuseHttp(status: number, text: string): void {
    if (!this.#begin('UNIMPLEMENTED')) return;
    this.stream.respond({ ':status': status, 'content-type': 'text/plain; charset=utf-8' });
    this.stream.end(`${text}\n`);
    this.#sendNoMore();
  }

  #begin(code: GrpcCode): boolean {
    const { stream } = this;
    if (this.answered !== undefined || stream.destroyed || stream.closed || stream.headersSent) return false;
    this.answered = code;
    this.answeredMs = this.#nowMs();
    return true;
  }

  #sendNoMore(): void {
    const { stream } = this;
    stream.resume();
    // RFC 9113 section 8.1: once it has answered, a server may ask so for the rest of a request not to be sent.
    if (!stream.readableEnded) stream.close(constants.NGHTTP2_NO_ERROR);
  }
}
