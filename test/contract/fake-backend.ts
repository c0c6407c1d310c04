/** A backend for outputs over HTTP: it remembers every request and answers as it is told, or breaks off, hangs, or is not there. */
import { once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { gunzipSync } from 'node:zlib';

/** What a backend was sent; a gzip body is inflated. */
export interface BackendRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/**
 * `take` is a yes. `take_and_break` takes the items and breaks off before it says so, `break` takes nothing; the sender cannot tell the two
 * apart. `hang` never answers, and `endless` says no by a status whose body never ends.
 */
export type BackendAnswer =
  | { readonly kind: 'take' | 'take_and_break' | 'break' | 'hang' }
  | { readonly kind: 'endless'; readonly status: number }
  | {
      readonly kind: 'refuse';
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly text?: string;
    };

export interface Exchange {
  readonly request: BackendRequest;
  readonly answer: BackendAnswer;
  readonly atMs: number;
}

export interface FakeBackend {
  readonly origin: string;
  /** In the order in which requests had come whole. */
  readonly exchanges: readonly Exchange[];
  /** Sockets ever opened. */
  connections(): number;
  /** How much of endless answers was taken off the backend's hands. */
  pouredBytes(): number;
  answer: (request: BackendRequest) => BackendAnswer;
  /** Listens again at the same address. */
  open(): Promise<void>;
  /** From now on nothing listens there. */
  close(): Promise<void>;
}

/** Starts one that takes everything, with `takeStatus` for an answer. */
export async function openFakeBackend(takeStatus: number): Promise<FakeBackend> {
  let server: Server | undefined;
  let port = 0;
  let connections = 0;
  let pouredBytes = 0;
  const exchanges: Exchange[] = [];
  const listener = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const request = await read(incoming);
    const answer = backend.answer(request);
    exchanges.push({ request, answer, atMs: performance.now() });
    if (answer.kind === 'endless') {
      response.writeHead(answer.status);
      pour(response, (bytes) => {
        pouredBytes += bytes;
      });
    } else give(answer, takeStatus, response);
  };
  const backend: FakeBackend = {
    get origin() {
      return `http://127.0.0.1:${port}`;
    },
    exchanges,
    connections: () => connections,
    pouredBytes: () => pouredBytes,
    answer: () => ({ kind: 'take' }),
    async open() {
      server = createServer((incoming, response) => {
        // A sender that gave up in the middle of its body has sent nothing.
        listener(incoming, response).catch(() => response.destroy());
      });
      server.keepAliveTimeout = 60_000;
      server.on('connection', () => {
        connections += 1;
      });
      server.listen(port, '127.0.0.1');
      await once(server, 'listening');
      const address = server.address();
      if (address === null || typeof address === 'string') throw new Error('the backend has no port');
      port = address.port;
    },
    async close() {
      if (server === undefined) return;
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      server = undefined;
      await closed;
    },
  };
  await backend.open();
  return backend;
}

async function read(incoming: IncomingMessage): Promise<BackendRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk);
  const wire = Buffer.concat(chunks);
  const { method = '', url: path = '', headers } = incoming;
  return { method, path, headers, body: headers['content-encoding'] === 'gzip' ? gunzipSync(wire) : wire };
}

function give(answer: Exclude<BackendAnswer, { kind: 'endless' }>, takeStatus: number, response: ServerResponse): void {
  switch (answer.kind) {
    case 'take':
      response.writeHead(takeStatus).end();
      return;
    case 'take_and_break':
    case 'break':
      response.socket?.resetAndDestroy();
      return;
    case 'hang':
      return;
    case 'refuse':
      response.writeHead(answer.status, answer.headers).end(answer.text ?? '');
  }
}

/** Writes as long as somebody reads. */
function pour(response: ServerResponse, poured: (bytes: number) => void): void {
  const chunk = Buffer.alloc(16 * 1024, 'x');
  const push = (): void => {
    while (!response.destroyed) {
      poured(chunk.byteLength);
      if (!response.write(chunk)) {
        response.once('drain', push);
        return;
      }
    }
  };
  push();
}
