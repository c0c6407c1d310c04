/** The servers that `bench/promql.ts` asks, and how it asks them. */
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { startAgent } from '../../test/fixtures/agent.ts';
import { cpuUs } from './processes.ts';
import { startPrometheus } from './prometheus.ts';

export interface Peer {
  readonly name: string;
  /** Both are others after `restart`. */
  readonly url: string;
  readonly pids: readonly number[];
  settle(): Promise<void>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

const startAttempts = 3;

/** Starts an agent that keeps its data in `directory`. */
export async function startTrawl(directory: string): Promise<Peer> {
  const agent = await startAgent({
    sets: ['store.retention=forever', 'store.max_bytes=none'],
    dataDirectory: join(directory, 'trawl'),
  });
  await agent.ready();
  return {
    name: 'trawl',
    url: agent.url,
    get pids() {
      return [agent.child.pid ?? 0, agent.storePid()];
    },
    settle: () => agent.flush(),
    async restart() {
      await agent.kill('SIGTERM');
      // On a machine that others keep busy a start may take longer than it is waited for.
      for (let attempt = 1; ; attempt++) {
        const failure = await agent.restart().then(
          () => undefined,
          (error: unknown) => error,
        );
        if (failure === undefined) break;
        if (attempt === startAttempts) throw failure;
      }
      await agent.ready();
    },
    stop: () => agent.remove(),
  };
}

/** Starts the Prometheus at `path` on data in `directory`. */
export async function startPeer(path: string, directory: string): Promise<Peer> {
  let server = await startPrometheus(path, join(directory, 'prometheus'));
  return {
    name: 'prometheus',
    get url() {
      return server.url;
    },
    get pids() {
      return [server.pid];
    },
    settle: async () => undefined,
    async restart() {
      await server.stop();
      server = await startPrometheus(path, join(directory, 'prometheus'));
    },
    stop: () => server.stop(),
  };
}

/** The CPU that each of a peer's processes has taken, in milliseconds. */
export const cpuMsOf = ({ pids }: Peer): number[] => pids.map((pid) => cpuUs(pid) / 1000);

export const connections = new Agent({ keepAlive: true });

export interface Answered {
  readonly body: Buffer;
  readonly tookMs: number;
}

export interface Asked {
  /** A body of remote write: then it is a POST. */
  readonly sent?: Buffer;
  /** Of the answer. */
  readonly encoding?: string | undefined;
}

/** Asks a peer and reads the whole answer; throws when it is not 2xx. */
export function ask(peer: Peer, path: string, { sent, encoding }: Asked = {}): Promise<Answered> {
  const before = performance.now();
  const method = sent === undefined ? 'GET' : 'POST';
  const headers = {
    ...(sent === undefined ? {} : { 'Content-Type': 'application/x-protobuf', 'Content-Encoding': 'snappy' }),
    ...(encoding === undefined ? {} : { 'Accept-Encoding': encoding }),
  };
  return new Promise((resolve, reject) => {
    const asked = request(peer.url + path, { agent: connections, method, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const body = Buffer.concat(chunks);
        const status = response.statusCode ?? 0;
        if (status < 300) resolve({ body, tookMs: performance.now() - before });
        else reject(new Error(`${peer.name} answers ${status} to ${path}: ${body.toString().slice(0, 300)}`));
      });
      response.on('error', reject);
    });
    asked.on('error', reject);
    asked.end(sent);
  });
}
