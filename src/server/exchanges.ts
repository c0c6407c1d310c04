/** The requests that are being answered: their deadlines, their slow readers, and who is still there when the server stops. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { RouteGroup } from './access.ts';
import type { ServerLimits } from './limits.ts';
import type { Listener } from './listener.ts';

/** One request and its answer. */
export interface Exchange {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly socket: Socket;
  readonly listener: Listener;
  /** The URL up to its `?`. */
  readonly path: string;
  readonly startMs: number;
  readonly abort: AbortController;
  group: RouteGroup;
  /** Since when a handler is at work on the request, which has arrived. */
  handlingSinceMs: number | undefined;
  /** Whether the client waits for `100 Continue` before it sends its body. */
  awaitsContinue: boolean;
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
  open(parts: { req: IncomingMessage; res: ServerResponse; listener: Listener; path: string }): Exchange;
  of(req: IncomingMessage): Exchange | undefined;
  all(): Iterable<Exchange>;
  /** Looks after deadlines once; the server calls it every `checkIntervalMs`. */
  sweep(): void;
  /** Resolves when nothing is being answered. */
  drained(): Promise<void>;
}

interface Reading {
  sinceMs: number;
  writtenBytes: number;
}

/** Makes the set of requests under way. */
export function createExchanges(options: ExchangesOptions): Exchanges {
  const { limits, nowMs } = options;
  const open = new Set<Exchange>();
  const byRequest = new WeakMap<IncomingMessage, Exchange>();
  const reading = new WeakMap<Exchange, Reading>();
  let waiting: (() => void)[] = [];

  const end = (exchange: Exchange) => {
    open.delete(exchange);
    if (!exchange.res.writableFinished) exchange.abort.abort(new Error('the client left before it was answered'));
    options.onEnd(exchange, nowMs() - exchange.startMs);
    if (open.size > 0) return;
    for (const resolve of waiting) resolve();
    waiting = [];
  };

  /** A whole answer must be read within the limit; of a streamed one something must move within it. */
  const isReadTooSlowly = (exchange: Exchange): boolean => {
    const now = nowMs();
    const seen = reading.get(exchange);
    const writtenBytes = exchange.socket.bytesWritten - exchange.socket.writableLength;
    const isStreaming = !exchange.res.writableEnded;
    if (seen === undefined || (isStreaming && seen.writtenBytes !== writtenBytes)) {
      reading.set(exchange, { sinceMs: now, writtenBytes });
      return false;
    }
    return now - seen.sinceMs > limits.answerTimeoutMs && (!isStreaming || exchange.socket.writableLength > 0);
  };

  return {
    get size() {
      return open.size;
    },
    open({ req, res, listener, path }) {
      const exchange: Exchange = {
        req,
        res,
        socket: req.socket,
        listener,
        path,
        startMs: nowMs(),
        abort: new AbortController(),
        group: 'open',
        handlingSinceMs: undefined,
        awaitsContinue: false,
      };
      open.add(exchange);
      byRequest.set(req, exchange);
      res.once('close', () => end(exchange));
      return exchange;
    },
    of: (req) => byRequest.get(req),
    all: () => open,
    sweep() {
      const now = nowMs();
      for (const exchange of open) {
        if (exchange.res.headersSent) {
          if (isReadTooSlowly(exchange)) exchange.socket.destroy();
        } else if (exchange.handlingSinceMs !== undefined && now - exchange.handlingSinceMs > limits.handlerTimeoutMs) {
          options.onDeadline(exchange);
        }
      }
    },
    drained: () => (open.size === 0 ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))),
  };
}
