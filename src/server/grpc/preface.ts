/** Tells by a connection's first bytes whether it is HTTP/2 with prior knowledge or HTTP/1, so that one port can speak both. */
import type { Socket } from 'node:net';

/** What every client of HTTP/2 begins with (RFC 9113 section 3.4); no request of HTTP/1 can. */
const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

export interface PrefaceOptions {
  /** How long a client may stay silent, or in the middle of the preface. */
  readonly timeoutMs: number;
  /** The socket as if nobody had read from it. */
  http1(socket: Socket): void;
  /** The same. */
  http2(socket: Socket): void;
  /** Nothing that could be told apart came in time. */
  timedOut(socket: Socket): void;
  /** The connection broke before. */
  broke(): void;
}

/** Reads as many bytes as it takes to tell, at most 24 once they are HTTP/2's, and puts them back. */
export function tellProtocol(socket: Socket, options: PrefaceOptions): void {
  let seen: Buffer = Buffer.alloc(0);
  const leave = () => {
    clearTimeout(timer);
    socket.off('readable', onReadable);
    socket.off('end', onEnd);
    socket.off('error', onError);
    socket.off('close', leave);
  };
  const handOver = (speak: (socket: Socket) => void) => {
    leave();
    // In one piece: node's HTTP/2 would go on with a second one after it has given up a session because of the first.
    socket.unshift(seen);
    speak(socket);
  };
  const onReadable = () => {
    for (let chunk: unknown = socket.read(); chunk instanceof Buffer; chunk = socket.read()) {
      seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    }
    if (seen.length === 0) return;
    const compared = Math.min(seen.length, preface.length);
    if (preface.compare(seen, 0, compared, 0, compared) !== 0) handOver(options.http1);
    else if (compared === preface.length) handOver(options.http2);
  };
  const onEnd = () => {
    leave();
    socket.destroy();
  };
  const onError = () => {
    leave();
    options.broke();
    socket.destroy();
  };
  const timer = setTimeout(() => {
    leave();
    // What breaks from now on breaks unheard.
    socket.on('error', () => undefined);
    options.timedOut(socket);
  }, options.timeoutMs);
  socket.on('readable', onReadable);
  socket.once('end', onEnd);
  socket.once('error', onError);
  socket.once('close', leave);
}
