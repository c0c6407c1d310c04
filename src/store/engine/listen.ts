/** Where a store is reached: a unix socket for its own user, or an address. */
import { chmod, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { connect, Server as NetServer } from 'node:net';
import { createHttpInterface, type HttpInterfaceOptions } from './http-interface.ts';

export type ListenAddress =
  | { readonly kind: 'socket'; readonly path: string }
  | { readonly kind: 'address'; readonly host: string; readonly port: number; readonly tokenFile: string };

const maxConnections = 512;

export interface StoreServer {
  readonly http: Server;
  /** Takes no further connections; node:http's own close() would cut answers that are still being sent. */
  stopAccepting(): void;
  /** Requests whose answer is not on its way yet, down to its last byte. */
  openAnswers(): number;
}

/** A server that listens nowhere yet. */
export function createStoreServer(options: HttpInterfaceOptions): StoreServer {
  const answer = createHttpInterface(options);
  let open = 0;
  const http = createServer(
    // Parameters stand in the URL, lists of ids among them; ClickHouse takes as much (http_max_uri_size).
    { maxHeaderSize: 1024 * 1024, keepAliveTimeout: 65_000, headersTimeout: 10_000, requestTimeout: 120_000 },
    (request, response) => {
      open++;
      response.once('close', () => open--);
      answer(request, response);
    },
  );
  http.maxConnections = maxConnections;
  return { http, stopAccepting: () => void NetServer.prototype.close.call(http), openAnswers: () => open };
}

/** Begins to listen; resolves to the address as a person would write it. */
export async function listenAt({ http: server }: StoreServer, where: ListenAddress): Promise<string> {
  if (where.kind === 'socket') {
    // The directory's lock says nothing of a socket elsewhere: another store may answer there.
    if (await answers(where.path))
      throw new Error(`another process answers on the socket ${where.path}; name another one`);
    await rm(where.path, { force: true });
    const umask = process.umask(0o177);
    try {
      await listening(server, () => server.listen(where.path));
    } finally {
      process.umask(umask);
    }
    await chmod(where.path, 0o600);
    return where.path;
  }
  await listening(server, () => server.listen(where.port, where.host));
  const address = server.address();
  return typeof address === 'object' && address !== null ? `http://${where.host}:${address.port}` : where.host;
}

/** Whether somebody accepts connections there; a socket that a dead process left behind refuses them. */
function answers(path: string): Promise<boolean> {
  return new Promise((settle) => {
    const socket = connect(path);
    const end = (isThere: boolean) => {
      socket.destroy();
      settle(isThere);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}

function listening(server: Server, start: () => void): Promise<void> {
  return new Promise((resolvePromise, reject) => {
    server.once('error', reject);
    server.once('listening', () => {
      server.off('error', reject);
      resolvePromise();
    });
    start();
  });
}
