/**
 * One GET on a connection of its own. Its body is taken chunk by chunk and never held back: undici 7 throws out of the socket's own events,
 * where nobody can catch it, when the other side closes a connection while a body on it is paused (`assert(!this.paused)`), which a large page
 * on a slow agent meets. And nothing is pooled: behind one address may be hundreds of targets, and those that do not answer made the others
 * of a pool wait.
 */
import { Client, type Dispatcher } from 'undici';
import type { Connector } from './connections.ts';

export interface Head {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

export interface GetOptions {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly connector: Connector;
  /** Whether the body is wanted; otherwise the connection is cut. What it throws ends the request. */
  wantsBody(head: Head): boolean;
  /** Takes the next bytes, which stay the taker's. What it throws ends the request. */
  take(chunk: Buffer): void;
}

/** Resolves when the body is there whole, or is not wanted. */
export function get(options: GetOptions, signal: AbortSignal): Promise<Head> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const { url, headers, connector } = options;
    // The deadline of the whole scrape goes before undici's own.
    const client = new Client(url.origin, { connect: connector, pipelining: 0, headersTimeout: 0, bodyTimeout: 0 });
    let head: Head | undefined;
    let isSettled = false;
    let controller: Dispatcher.DispatchController | undefined;
    const settle = (act: () => void) => {
      if (isSettled) return;
      isSettled = true;
      signal.removeEventListener('abort', stop);
      act();
      // No connection outlives its scrape: one that the target closes meanwhile would cost the next scrape.
      client.destroy().catch(() => undefined);
    };
    const fail = (cause: unknown) => {
      const error = cause instanceof Error ? cause : new Error(String(cause));
      settle(() => reject(error));
      controller?.abort(error);
    };
    const stop = () => fail(signal.reason);
    signal.addEventListener('abort', stop, { once: true });

    client.dispatch(
      { origin: url.origin, path: url.pathname + url.search, method: 'GET', headers: { ...headers }, reset: true },
      {
        onRequestStart(started) {
          controller = started;
          // Given up while it was being connected.
          if (isSettled) started.abort(new Error('the request was given up'));
        },
        onResponseStart(_, status, received) {
          const told: Head = { status, headers: received };
          // What comes before the answer itself, such as 103.
          if (status < 200) return;
          head = told;
          try {
            if (options.wantsBody(told)) return;
            settle(() => resolve(told));
            controller?.abort(new Error('the body is not wanted'));
          } catch (cause) {
            fail(cause);
          }
        },
        onResponseData(_, chunk) {
          if (isSettled) return;
          try {
            options.take(chunk);
          } catch (cause) {
            fail(cause);
          }
        },
        onResponseEnd() {
          const told = head;
          if (told === undefined) fail(new Error('the answer ended before it began'));
          else settle(() => resolve(told));
        },
        onResponseError(_, cause) {
          settle(() => reject(cause));
        },
      },
    );
  });
}
