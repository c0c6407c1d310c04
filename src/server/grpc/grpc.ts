/**
 * gRPC's unary calls over HTTP/2 without TLS, for the routes that inputs add with `isGrpc`. Everything that a client can make much of is
 * bounded: streams a connection and calls altogether, headers, frames that are not to be, time, and bytes (`message.ts`).
 */
import http2, {
  constants,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import type { IngestRoute } from '../../pipeline/ingest-route.ts';
import type { Access } from '../access.ts';
import { type BodyPool, createBodyPool } from '../body-pool.ts';
import type { ByteBudget } from '../byte-budget.ts';
import type { Connections } from '../connections.ts';
import type { Inflate } from '../inflate.ts';
import type { ServerLimits } from '../limits.ts';
import type { Listener } from '../listener.ts';
import type { RateLimit } from '../lockout.ts';
import { printable } from '../not-found.ts';
import { Call } from './call.ts';
import { createHealthCheck, healthCheckPath } from './health.ts';
import { serveCall } from './serve-call.ts';
import type { GrpcCode } from './status.ts';
import { parseGrpcTimeout } from './timeout.ts';

/** The clients that are known have 100 calls under way at most unless told otherwise. */
const maxStreamsPerConnection = 100;
/** A message of usual size arrives without waiting for leave to go on; what came is read at once, so that this is not memory. */
const streamWindowBytes = 1024 * 1024;
const connectionWindowBytes = 4 * 1024 * 1024;
/** Kept for the messages to come. */
const keptBodyBytes = 4 * 1024 * 1024;
/** Between two looks at the deadlines. Who calls off more is not changing its mind. */
const maxCalledOff = 2 * maxStreamsPerConnection;
const retryMs = 1_000;
/** Deadlines a little late are cheaper: timers of one length share a list. */
const timeoutStepMs = 50;

export interface GrpcOptions {
  readonly limits: ServerLimits;
  readonly budget: ByteBudget;
  readonly inflate: Inflate;
  readonly connections: Connections;
  readonly rateLimit: RateLimit | undefined;
  readonly access: () => Access;
  readonly nowMs: () => number;
  readonly log: Logger;
  find(path: string): IngestRoute | undefined;
  /** The paths of all methods. */
  paths(): readonly string[];
  /** One call has ended. */
  onEnd(code: GrpcCode, durationMs: number): void;
}

export interface Grpc {
  /** How many calls are under way. */
  readonly size: number;
  /** Speaks HTTP/2 on a connection whose first bytes are its preface. */
  adopt(socket: Socket, listener: Listener): void;
  /** Looks after deadlines once; the server calls it every `checkIntervalMs`. */
  sweep(): void;
  /** Tells every client to go elsewhere with its next call; those under way go on. */
  close(): void;
  /** Tells every call under way that its time is over. */
  abortAll(why: Error): void;
}

interface Session {
  readonly session: ServerHttp2Session;
  readonly socket: Socket;
  readonly listener: Listener;
  readonly calls: Set<Call>;
  idleSinceMs: number;
  leavingSinceMs: number | undefined;
  /** Calls that its client reset before they were answered, since the last look. */
  calledOff: number;
}

interface Room extends GrpcOptions {
  readonly pool: BodyPool;
  readonly sessions: Set<Session>;
  readonly health: IngestRoute;
  size: number;
  isStopping: boolean;
}

/** Makes the gRPC side of a server; it opens nothing. */
export function createGrpc(options: GrpcOptions): Grpc {
  const room: Room = {
    ...options,
    pool: createBodyPool(keptBodyBytes),
    sessions: new Set(),
    health: createHealthCheck({
      isStopping: () => room.isStopping,
      isServed: (service) => options.paths().some((path) => path.startsWith(`/${service}/`)),
    }),
    size: 0,
    isStopping: false,
  };
  return {
    get size() {
      return room.size;
    },
    adopt: (socket, listener) => adopt(socket, listener, room),
    sweep() {
      const now = room.nowMs();
      for (const each of room.sessions) sweepSession(each, now, room);
    },
    close() {
      room.isStopping = true;
      for (const each of room.sessions) {
        // Not idle from now on: a connection is told before it is closed.
        room.connections.busy(each.socket);
        leave(each, room.nowMs());
      }
    },
    abortAll(why) {
      for (const { calls } of room.sessions) for (const call of calls) call.abort(why);
    },
  };
}

function adopt(socket: Socket, listener: Listener, room: Room): void {
  // Nobody but HTTP/1 has a use for a connection that is open in one direction.
  socket.allowHalfOpen = false;
  const session = http2.performServerHandshake(socket, {
    maxSessionMemory: 10,
    maxHeaderListPairs: 128,
    maxOutstandingPings: 10,
    maxSettings: 32,
    maxSessionInvalidFrames: 100,
    maxSessionRejectedStreams: 100,
    settings: {
      enablePush: false,
      maxConcurrentStreams: maxStreamsPerConnection,
      maxHeaderListSize: room.limits.maxHeaderBytes,
      initialWindowSize: streamWindowBytes,
    },
  });
  const entry: Session = {
    session,
    socket,
    listener,
    calls: new Set(),
    idleSinceMs: room.nowMs(),
    leavingSinceMs: undefined,
    calledOff: 0,
  };
  room.sessions.add(entry);
  session.setLocalWindowSize(connectionWindowBytes);
  session.on('stream', (stream, headers) => openCall(stream, headers, entry, room));
  // Its streams and its connection end with it, and 'close' follows.
  session.on('error', (error) => room.log.debug({ err: error }, 'A connection of HTTP/2 broke.'));
  session.once('close', () => {
    room.sessions.delete(entry);
    socket.destroy();
  });
}

function openCall(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, entry: Session, room: Room): void {
  const call = new Call({ stream, headers, startMs: room.nowMs() }, room.nowMs);
  room.size += 1;
  entry.calls.add(call);
  room.connections.busy(entry.socket);
  // The reset of a stream is an error to node; 'close' follows and says it all.
  stream.on('error', () => undefined);
  stream.once('close', () => {
    if (!entry.calls.delete(call)) return;
    room.size -= 1;
    if (entry.calls.size === 0) entry.idleSinceMs = room.nowMs();
    if (call.answered === undefined && ++entry.calledOff > maxCalledOff && !entry.session.destroyed) {
      // nghttp2 would bear 1,000 and then neither read nor close the connection.
      entry.session.destroy(undefined, constants.NGHTTP2_ENHANCE_YOUR_CALM);
    }
    room.connections.free(entry.socket);
    if (stream.rstCode !== 0 || call.answered === undefined)
      call.abort(new Error('the client left before it was answered'));
    room.onEnd(call.answered ?? 'CANCELLED', room.nowMs() - call.startMs);
  });
  const route = screenCall(call, entry, room);
  if (route === undefined) return;
  if (!setDeadline(call)) {
    call.refuse({ code: 'INTERNAL', message: 'grpc-timeout is not up to eight digits and one of H, M, S, m, u, n' });
    return;
  }
  void serveCall(call, route, room);
}

/** The route that takes the call; undefined when it has been refused. */
function screenCall(call: Call, { socket, listener }: Session, room: Room): IngestRoute | undefined {
  const { headers } = call;
  const problem = whyNoCall(headers);
  if (problem !== undefined) {
    call.refuseHttp(problem.status, problem.text);
    return undefined;
  }
  if (room.size > room.limits.maxConnections || room.rateLimit?.take(socket.remoteAddress ?? '') === false) {
    call.refuse({ code: 'UNAVAILABLE', message: 'too many calls at once; slow down', retryAfterMs: retryMs });
    return undefined;
  }
  if (headers.origin !== undefined) {
    const req = { headers: { ...headers, host: headers[':authority'] }, method: 'POST', socket };
    const verdict = room.access().checkIngest({ req, isLoopbackListener: listener.isLoopback }, false);
    if (!verdict.isAllowed) {
      call.refuse({ code: 'PERMISSION_DENIED', message: verdict.message });
      return undefined;
    }
  }
  const route = call.path === healthCheckPath ? room.health : room.find(call.path);
  if (route === undefined) {
    const known = [...room.paths(), healthCheckPath].join(', ');
    const message = `there is no method ${printable(call.path)} here; there are ${known}`;
    call.refuse({ code: 'UNIMPLEMENTED', message });
  }
  return route;
}

function whyNoCall(headers: IncomingHttpHeaders): { readonly status: number; readonly text: string } | undefined {
  const type = headers['content-type'];
  if (type === undefined || !/^application\/grpc(?:\+proto)?(?:;.*)?$/i.test(type))
    return {
      status: 415,
      text: 'over HTTP/2 only gRPC with protobuf is spoken here; use HTTP/1.1 for everything else',
    };
  return headers[':method'] === 'POST' ? undefined : { status: 405, text: 'gRPC calls are POSTs' };
}

/** False when the header is no deadline. */
function setDeadline(call: Call): boolean {
  const header = call.headers['grpc-timeout'];
  if (header === undefined) return true;
  const timeoutMs = parseGrpcTimeout(String(header));
  if (timeoutMs === undefined) return false;
  // A longer one never comes to pass: the server's own deadlines are shorter.
  const delayMs = Math.min(Math.ceil(timeoutMs / timeoutStepMs) * timeoutStepMs, 2 ** 31 - 1);
  const timer = setTimeout(() => {
    call.refuse({ code: 'DEADLINE_EXCEEDED', message: 'the time that grpc-timeout gave is over' });
    call.abort(new Error('the time that the client gave is over'));
  }, delayMs);
  call.stream.once('close', () => clearTimeout(timer));
  return true;
}

function leave(entry: Session, nowMs: number): void {
  if (entry.leavingSinceMs !== undefined) return;
  entry.leavingSinceMs = nowMs;
  if (!entry.session.closed) entry.session.close();
}

function sweepSession(entry: Session, nowMs: number, room: Room): void {
  const { limits } = room;
  entry.calledOff = 0;
  if (entry.calls.size === 0) {
    if (entry.leavingSinceMs !== undefined) {
      // Some stay: those that do not read, and those that nghttp2 no longer reads because of what they sent.
      if (nowMs - Math.max(entry.leavingSinceMs, entry.idleSinceMs) > limits.lingerMs) entry.socket.destroy();
    } else if (nowMs - entry.idleSinceMs > limits.keepAliveTimeoutMs) leave(entry, nowMs);
    return;
  }
  for (const call of entry.calls) sweepCall(call, entry, nowMs, room);
}

function sweepCall(call: Call, { socket }: Session, nowMs: number, { limits, log }: Room): void {
  if (call.answeredMs !== undefined) {
    if (nowMs - call.answeredMs > limits.answerTimeoutMs) socket.destroy();
  } else if (call.handlingSinceMs === undefined) {
    if (nowMs - call.startMs > limits.requestTimeoutMs)
      call.refuse({ code: 'DEADLINE_EXCEEDED', message: 'the request did not arrive in time' });
  } else if (nowMs - call.handlingSinceMs > limits.handlerTimeoutMs) {
    const afterS = limits.handlerTimeoutMs / 1000;
    log.warn({ path: printable(call.path) }, `A call was given up after ${afterS} s.`);
    const message = `gave up after ${afterS} s; try again later`;
    call.refuse({ code: 'UNAVAILABLE', message, retryAfterMs: 5_000 });
    call.abort(new Error(`not answered within ${afterS} s`));
  }
}
