/** A `StoreClient` over a chDB of this very process, for experiments that want the engine and nothing around it. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Session } from 'chdb';
import type { StoreClient, StoreQuery } from '../../src/store/client.ts';
import { migrations } from '../../src/store/schema/migrations.ts';

export interface InProcessStore {
  readonly client: StoreClient;
  readonly directory: string;
  /** Runs SQL as it stands; for generating rows and for timing. */
  run(sql: string): Promise<string>;
}

const withSettings = (query: StoreQuery) => {
  const settings = Object.entries(query.settings ?? {}).map(([name, value]) =>
    typeof value === 'number' ? `${name} = ${value}` : `${name} = '${value}'`,
  );
  return settings.length === 0 ? query.sql : `${query.sql} SETTINGS ${settings.join(', ')}`;
};

/** Opens a store in a new directory under the system's temporary one (or in `directory`) and runs the migrations. */
export async function openInProcessStore(
  directory = mkdtempSync(join(tmpdir(), 'trawl-exp-')),
): Promise<InProcessStore> {
  const session = new Session(directory);
  const ask = async (query: StoreQuery, format: string) => {
    const sql = withSettings(query);
    const parameters = query.parameters ?? {};
    return Object.keys(parameters).length === 0
      ? session.queryAsync(sql, { format })
      : session.queryBindAsync(sql, parameters, { format });
  };
  const client: StoreClient = {
    async rows<Row>(query: StoreQuery) {
      const text = (await ask(query, 'JSONEachRow')).text();
      return text
        .split('\n')
        .filter((line) => line !== '')
        .map((line): Row => JSON.parse(line));
    },
    async bytes(query) {
      return Buffer.from((await ask(query, query.format)).bytes());
    },
    async command(query) {
      await ask(query, 'Null');
    },
    async insert() {
      throw new Error('insert: an experiment generates its rows with INSERT … SELECT');
    },
    async close() {},
  };
  for (const { statements } of migrations) for (const statement of statements) await session.queryAsync(statement);
  return { client, directory, run: async (sql) => (await session.queryAsync(sql, { format: 'JSONEachRow' })).text() };
}

/** Seconds of CPU that `work` took in this process, and its wall time. */
export async function measure<T>(work: () => Promise<T>): Promise<{ result: T; cpuSeconds: number; seconds: number }> {
  const cpu = process.cpuUsage();
  const start = performance.now();
  const result = await work();
  const { user, system } = process.cpuUsage(cpu);
  return { result, cpuSeconds: (user + system) / 1e6, seconds: (performance.now() - start) / 1000 };
}

/** chDB keeps the process from exiting; nothing that matters is left to be done. */
export function quit(): never {
  process.kill(process.pid, 'SIGKILL');
  throw new Error('unreachable');
}
