/** The requests that are being answered: their deadlines, their slow readers, and who is still there when the server stops. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { RouteGroup } from './access.ts';
import type { ServerLimits } from './limits.ts';
import type { Listener } from './listener.ts';

/** Where a request came from and went to. */
export interface ExchangeParts {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly listener: Listener;
  /** The URL up to its `?`. */
  readonly path: string;
  readonly startMs: number;
}

/** One request and its answer. */
export class Exchange {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly socket: Socket;
  readonly listener: Listener;
  readonly path: string;
  readonly startMs: number;
  group: RouteGroup = 'open';
  /** Since when a handler is at work on the request, which has arrived. */
  handlingSinceMs: number | undefined = undefined;
  /** Whether the client waits for `100 Continue` before it sends its body. */
  awaitsContinue = false;
  /** Since when the client has an answer to read, and how much of it had gone out then. */
  readingSinceMs: number | undefined = undefined;
  writtenBytes = 0;
  #controller: AbortController | undefined = undefined;
  #abortedWith: Error | undefined = undefined;

  constructor(parts: ExchangeParts) {
    this.req = parts.req;
    this.res = parts.res;
    this.socket = parts.req.socket;
    this.listener = parts.listener;
    this.path = parts.path;
    this.startMs = parts.startMs;
  }

  /**
   * Aborts when the client leaves, at the handler's deadline, and when the server stops without waiting. Made when it is first
   * asked for: an AbortController costs as much as all else here does for a request (bench/server.ts).
   */
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
}

export interface ExchangesOptions {
  readonly limits: ServerLimits;
  readonly nowMs: () => number;
  /** Answers a request whose handler took too long. */
  onDeadline(exchange: Exchange): void;
  onEnd(exchange: Exchange, durationMs: number): void;
}

export interface Exchanges {
  readonly size: number;
  open(parts: Omit<ExchangeParts, 'startMs'>): Exchange;
  all(): Iterable<Exchange>;
  /** The connection has closed. Node tells only the answer that was being written, not those queued behind it. */
  endOf(socket: Socket): void;
  /** Looks after deadlines once; the server calls it every `checkIntervalMs`. */
  sweep(): void;
  /** Resolves when nothing is being answered. */
  drained(): Promise<void>;
}

/** Makes the set of requests under way. */
export function createExchanges(options: ExchangesOptions): Exchanges {
  const { limits, nowMs } = options;
  const open = new Set<Exchange>();
  let waiting: (() => void)[] = [];

  const end = (exchange: Exchange) => {
    if (!open.delete(exchange)) return;
    if (!exchange.res.writableFinished) exchange.abort(new Error('the client left before it was answered'));
    options.onEnd(exchange, nowMs() - exchange.startMs);
    if (open.size > 0) return;
    for (const resolve of waiting) resolve();
    waiting = [];
  };

  return {
    get size() {
      return open.size;
    },
    open(parts) {
      const exchange = new Exchange({ ...parts, startMs: nowMs() });
      open.add(exchange);
      parts.res.once('close', () => end(exchange));
      return exchange;
    },
    all: () => open,
    endOf(socket) {
      for (const exchange of open) if (exchange.socket === socket) end(exchange);
    },
    sweep() {
      const now = nowMs();
      for (const exchange of open) {
        if (exchange.res.headersSent) {
          if (isReadTooSlowly(exchange, now, limits.answerTimeoutMs)) exchange.socket.destroy();
        } else if (exchange.handlingSinceMs !== undefined && now - exchange.handlingSinceMs > limits.handlerTimeoutMs) {
          options.onDeadline(exchange);
        }
      }
    },
    drained: () => (open.size === 0 ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))),
  };
}

/** A whole answer must be read within the limit; of a streamed one something must move within it. */
function isReadTooSlowly(exchange: Exchange, nowMs: number, limitMs: number): boolean {
  const { socket } = exchange;
  const writtenBytes = socket.bytesWritten - socket.writableLength;
  const isStreaming = !exchange.res.writableEnded;
  const hasMoved = isStreaming && exchange.writtenBytes !== writtenBytes;
  if (exchange.readingSinceMs === undefined || hasMoved) {
    exchange.readingSinceMs = nowMs;
    exchange.writtenBytes = writtenBytes;
    return false;
  }
  return nowMs - exchange.readingSinceMs > limitMs && (!isStreaming || socket.writableLength > 0);
}
