/** What the tests of the whole agent under faults share: load with an oracle, a program that is expected to end, and waiting. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createStoreClient } from '../../src/store/http-client.ts';
import type { TestAgent } from '../fixtures/agent.ts';
import { createSpanOracle, type Verdict } from './oracle.ts';

export const mainFile = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
export const isRoot = process.getuid?.() === 0;

/** Looks until something is found; fails with what it waited for. */
export async function waitFor<T>(
  what: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = 15_000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await sleep(25);
  }
}

export interface Ended {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

/** Runs `trawl ARGS` to its end. */
export async function runTrawl(
  args: readonly string[],
  options: { readonly under?: readonly string[]; readonly environment?: Readonly<Record<string, string>> } = {},
): Promise<Ended> {
  const [program = '', ...rest] = [...(options.under ?? []), process.execPath, mainFile, ...args];
  const child = spawn(program, rest, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.environment },
    timeout: 20_000,
    killSignal: 'SIGKILL',
  });
  const [output, errors, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  return { code, output, errors };
}

/** The answers that senders got, by status; `0` where there was none. */
export type Answers = Record<number, number>;

export interface Load {
  readonly oracle: ReturnType<typeof createSpanOracle>;
  readonly answers: Answers;
  /** Errors of connections, by code. */
  readonly errors: Record<string, number>;
  /** Ends the senders. */
  stop(): Promise<void>;
}

/** Posts spans from several senders at once until it is stopped; what is answered 202 counts as acknowledged. */
export function startLoad(
  agent: Pick<TestAgent, 'post'>,
  { senders = 4, spansPerBody = 20, pauseMs = 0, path = '/api/v2/spans' } = {},
): Load {
  const oracle = createSpanOracle(Date.now() * 1000);
  const answers: Answers = {};
  const errors: Record<string, number> = {};
  let isOver = false;
  const send = async () => {
    while (!isOver) {
      const { body, numbers } = oracle.issue(spansPerBody);
      try {
        const { status } = await agent.post(path, body);
        answers[status] = (answers[status] ?? 0) + 1;
        if (status === 202) oracle.acknowledge(numbers);
        else await sleep(20);
      } catch (error) {
        const code = codeOf(error);
        errors[code] = (errors[code] ?? 0) + 1;
        await sleep(20);
      }
      if (pauseMs > 0) await sleep(pauseMs);
    }
  };
  const sending = Array.from({ length: senders }, send);
  return {
    oracle,
    answers,
    errors,
    async stop() {
      isOver = true;
      await Promise.all(sending);
    },
  };
}

/** What a failed connection says it failed of. */
export function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if ('code' in error && typeof error.code === 'string') return error.code;
  return error.cause === undefined ? error.name : codeOf(error.cause);
}

/** Brings everything into the store and compares it with what was acknowledged. */
export async function judgeSpans(agent: TestAgent, load: Load): Promise<Verdict> {
  await agent.flush();
  const client = createStoreClient({ socketPath: join(agent.dataDirectory, 'store', 'store.sock') });
  try {
    const stored = await client.rows<{ id: string; name: string; durationUs: string; note: string }>({
      sql: "SELECT lower(hex(id)) AS id, name, duration_us AS durationUs, tags['note'] AS note FROM spans",
      signal: AbortSignal.timeout(20_000),
    });
    return load.oracle.judge(stored.map((row) => ({ ...row, durationUs: Number(row.durationUs) })));
  } finally {
    await client.close();
  }
}

/** What a store must hold after any fault. */
export const nothingWrong = { lost: 0, altered: 0, storedTwice: 0, invented: 0 };

/** An HTTP server on loopback for as long as a test. */
export async function startBackend(listener: RequestListener): Promise<{ port: number; close(): Promise<void> }> {
  const server = createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

/** The value of a metric without labels, or the sum over its labels. */
export async function metricOf(agent: TestAgent, name: string, label = ''): Promise<number> {
  const { text: exposition } = await agent.get('/metrics');
  return exposition
    .split('\n')
    .filter((line) => new RegExp(`^${name}[{ ]`).test(line) && line.includes(label))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}
