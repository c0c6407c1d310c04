/** One listening port: its limits on slow and broken clients, what it says to bytes that are not HTTP, and why it could not open. */
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { isLoopbackAddress } from './access.ts';
import { tellProtocol } from './grpc/preface.ts';
import type { ServerLimits } from './limits.ts';

/** Zipkin's own paths: what the port 9411 serves, and where Zipkin's manners win over ours. A name that ends in `/` is a prefix. */
export const zipkinPaths: readonly string[] = ['/api/v2/', '/api/v1/spans', '/zipkin', '/zipkin/', '/health', '/info'];

/** Where Zipkin's server has files and fixed answers: there HEAD is GET without a body and other methods are 405, both elsewhere 404. */
const zipkinFiles: readonly string[] = ['/zipkin/config.json', '/info'];

/** OTLP's own paths: what the port 4318 serves. */
export const otlpPaths: readonly string[] = ['/v1/traces', '/v1/metrics'];

export interface ListenerOptions {
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
  /** `all`, or the paths it serves besides `/`: those that end in `/` are prefixes. */
  readonly paths: 'all' | readonly string[];
  /** The configuration's key for an address that can be done without: when it is not to be had, that is a warning which names the key. */
  readonly optionalKey?: string;
}

/** Where a listener really listens. */
export interface ListenerAddress {
  readonly host: string;
  readonly port: number;
  /** `http://127.0.0.1:9529`, for people. */
  readonly url: string;
  readonly paths: 'all' | readonly string[];
}

export interface Listener {
  readonly options: ListenerOptions;
  readonly server: http.Server;
  readonly address: ListenerAddress;
  /** Whether only this machine can reach it. */
  readonly isLoopback: boolean;
}

/** Why bytes were refused before there was a request. */
export type ParserRefusal = 'malformed' | 'headers_too_large' | 'request_timeout' | 'aborted' | 'not_accepted';

export interface ListenerEvents {
  request(listener: Listener, req: IncomingMessage, res: ServerResponse, awaitsContinue: boolean): void;
  connection(socket: Socket): void;
  /** A connection that speaks HTTP/2, on a listener where gRPC is spoken. */
  http2(listener: Listener, socket: Socket): void;
  refused(why: ParserRefusal): void;
  /** The kernel would not hand out a connection, for want of file descriptors for instance; it is asked again. */
  acceptFailed(error: Error): void;
  /** Whether an answer to an earlier request is on its way on this connection: then nothing may be written into it. */
  isAnswering(socket: Socket): boolean;
}

/** Whether `path` is one of `paths`. */
export function servesPath(paths: 'all' | readonly string[], path: string): boolean {
  return paths === 'all' || paths.some((entry) => (entry.endsWith('/') ? path.startsWith(entry) : path === entry));
}

/** Whether methods that a path does not take are answered with 404, as Zipkin's API does (reference: traces 1.1). */
export const hidesOtherMethods = (path: string): boolean =>
  servesPath(zipkinPaths, path) && !servesPath(zipkinFiles, path);

/** Whether gRPC is spoken there beside HTTP/1: wherever OTLP is. */
export function speaksGrpc({ paths }: Pick<ListenerOptions, 'paths'>): boolean {
  return paths === 'all' || paths === otlpPaths;
}

/** An address that cannot be listened on, in one sentence for whoever started the agent. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
}

/** Opens a listener. Rejects with one sentence when it cannot. */
export async function openListener(
  options: ListenerOptions,
  limits: ServerLimits,
  events: ListenerEvents,
): Promise<Listener> {
  const server = http.createServer({
    requestTimeout: limits.requestTimeoutMs,
    // Node throws where the part may take longer than the whole.
    headersTimeout: Math.min(limits.headersTimeoutMs, limits.requestTimeoutMs),
    connectionsCheckingInterval: limits.checkIntervalMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    maxHeaderSize: limits.maxHeaderBytes,
    // `screenRequest` does: Node would refuse it and then still act on what came behind it.
    requireHostHeader: false,
  });
  server.maxRequestsPerSocket = limits.maxRequestsPerSocket;
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => refuseBytes(error, socket, events));
  await listen(server, options);
  server.on('error', events.acceptFailed);
  const address = addressOf(server, options);
  const listener: Listener = { options, server, address, isLoopback: isLoopbackAddress(address.host) };
  server.on('request', (req, res) => events.request(listener, req, res, false));
  if (speaksGrpc(options)) takeConnections(listener, limits, events);
  else server.on('connection', events.connection);
  // With the default listener a body would be invited before anyone looked at its Content-Length.
  server.on('checkContinue', (req, res) => events.request(listener, req, res, true));
  return listener;
}

/** Puts the telling apart before node's own listener, which speaks HTTP/1 on whatever it is handed. */
function takeConnections(listener: Listener, limits: ServerLimits, events: ListenerEvents): void {
  const { server } = listener;
  const speakHttp1 = server.listeners('connection');
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    events.connection(socket);
    if (socket.destroyed) return;
    tellProtocol(socket, {
      timeoutMs: Math.min(limits.headersTimeoutMs, limits.requestTimeoutMs),
      http1() {
        for (const speak of speakHttp1) speak.call(server, socket);
      },
      http2: () => events.http2(listener, socket),
      timedOut: () => refuseBytes({ name: 'Error', message: '', code: 'ERR_HTTP_REQUEST_TIMEOUT' }, socket, events),
      broke: () => events.refused('aborted'),
    });
  });
}

function listen(server: http.Server, { host, port, optionalKey }: ListenerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        new ListenError(`cannot listen on ${hostAndPort(host, port)}: ${whyNot(error, optionalKey)}`, { cause: error }),
      );
    });
    server.listen({ host, port, backlog: 1024 }, () => {
      server.removeAllListeners('error');
      resolve();
    });
  });
}

function whyNot(error: NodeJS.ErrnoException, optionalKey: string | undefined): string {
  const choice = optionalKey === undefined ? '--listen HOST:PORT' : `${optionalKey} = "HOST:PORT", or "" for none`;
  if (error.code === 'EADDRINUSE') return `another program has this port; stop it, or choose another with ${choice}`;
  if (error.code === 'EACCES') return `this user may not open that port; choose one above 1023 with ${choice}`;
  if (error.code === 'EADDRNOTAVAIL')
    return 'this machine has no such address; use 127.0.0.1, 0.0.0.0 or one of its own';
  if (error.code === 'ENOTFOUND' || error.code === 'EAI_AGAIN')
    return 'that name has no address; use 127.0.0.1 or 0.0.0.0';
  return error.message;
}

function addressOf(server: http.Server, options: ListenerOptions): ListenerAddress {
  const bound: AddressInfo | string | null = server.address();
  const { address: host, port } =
    bound === null || typeof bound === 'string' ? { address: options.host, port: options.port } : bound;
  return { host, port, url: `http://${hostAndPort(host, port)}`, paths: options.paths };
}

function hostAndPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Node's parser has given up on the connection. It gets a short text if nothing else is on its way there. */
function refuseBytes(
  error: NodeJS.ErrnoException,
  stream: NodeJS.WritableStream & { destroy?(): void },
  events: ListenerEvents,
): void {
  const socket = stream as Socket;
  const { why, status, text } = explain(error.code);
  events.refused(why);
  if (why === 'aborted' || !socket.writable || events.isAnswering(socket)) {
    socket.destroy();
    return;
  }
  const body = `${text}\n`;
  socket.end(
    `HTTP/1.1 ${status} ${http.STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}

function explain(code: string | undefined): { why: ParserRefusal; status: number; text: string } {
  if (code === 'HPE_HEADER_OVERFLOW') {
    return {
      why: 'headers_too_large',
      status: 431,
      text: 'the request line and headers are too large; send long queries by POST',
    };
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return { why: 'request_timeout', status: 408, text: 'the request did not arrive in time' };
  }
  if (code === 'HPE_INVALID_EOF_STATE') {
    return { why: 'malformed', status: 400, text: 'the request ended before it was complete' };
  }
  if (code?.startsWith('HPE_') === true)
    return { why: 'malformed', status: 400, text: 'this is not a well-formed HTTP/1.1 request' };
  return { why: 'aborted', status: 400, text: 'the connection broke' };
}
