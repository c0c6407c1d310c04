/** What comes from outside never becomes part of the SQL: the text of a query is the same whatever the strings are. */
import { describe, expect, it } from 'vitest';
import type { StoreClient, StoreQuery } from '../client.ts';
import { matchOps } from './label-matcher.ts';
import { readLogs } from './logs.ts';
import { serviceNames } from './names.ts';
import { readSamples } from './samples.ts';
import { traceById } from './spans.ts';

/** Answers what it is given and remembers what it was asked. */
function recorder(answers: readonly Buffer[] = []): { readonly client: StoreClient; readonly asked: StoreQuery[] } {
  const asked: StoreQuery[] = [];
  const none = () => Promise.reject(new Error('a reader asks for bytes'));
  const client: StoreClient = {
    rows: none,
    command: none,
    insert: none,
    bytes(query) {
      asked.push(query);
      return Promise.resolve(answers[asked.length - 1] ?? Buffer.alloc(0));
    },
    close: () => Promise.resolve(),
  };
  return { client, asked };
}

const hostile = [
  "' OR 1=1 --",
  '\\',
  "\\' UNION ALL SELECT * FROM url('http://x') --",
  '{evil:String}',
  '\u0000\n\t',
  '`"]',
  "x']",
];
const { signal } = new AbortController();

/** One series without labels, so that its samples are asked for as well. */
const oneSeries = Buffer.concat([Buffer.alloc(8), Buffer.of(0)]);

async function sampleSql(name: string, value: string): Promise<StoreQuery[]> {
  const { client, asked } = recorder([oneSeries]);
  const matchers = matchOps.map((op) => ({ name, op, value: op.endsWith('~') ? `\\Q${value}\\E` : value }));
  await readSamples(client, { matchers, afterMs: 0, untilMs: 1 }, { signal });
  return asked;
}

async function logSql(value: string): Promise<StoreQuery[]> {
  const { client, asked } = recorder();
  const matchers = [{ name: 'pod', op: '=', value } as const, { name: value, op: '!=', value: 'x' } as const];
  const selection = { matchers, contains: [value], startNs: 0n, endNs: 1n, direction: 'forward', limit: 1 } as const;
  await readLogs(client, selection, { signal });
  return asked;
}

describe('the SQL of a reader', () => {
  it.each(hostile)('does not hold %j', async (text) => {
    const sqlOf = (queries: readonly StoreQuery[]) => queries.map(({ sql }) => sql);
    expect(sqlOf(await sampleSql(text, text))).toEqual(sqlOf(await sampleSql('a', 'b')));
    expect(sqlOf(await sampleSql('a', 'b'))).toHaveLength(2);
    expect(sqlOf(await logSql(text))).toEqual(sqlOf(await logSql('b')));
    const { client, asked } = recorder();
    await traceById(client, text, { signal });
    await traceById(client, 'a', { signal });
    expect(asked[0]?.sql).toBe(asked[1]?.sql);
  });

  it('has so many conditions and no more', async () => {
    const many = Array.from({ length: 251 }, () => ({ name: 'pod', op: '=', value: 'x' }) as const);
    const texts = many.map(() => 'x');
    const { client, asked } = recorder();
    const window = { startNs: 0n, endNs: 1n, direction: 'forward', limit: 1 } as const;
    const named = 'a selector has 251 conditions, more than 250';
    await expect(readSamples(client, { matchers: many, afterMs: 0, untilMs: 1 }, { signal })).rejects.toThrow(named);
    await expect(readLogs(client, { matchers: many, contains: [], ...window }, { signal })).rejects.toThrow(named);
    await expect(readLogs(client, { matchers: [], contains: texts, ...window }, { signal })).rejects.toThrow(named);
    expect(asked).toEqual([]);
  });

  it('carries its limits', async () => {
    const { client, asked } = recorder([Buffer.alloc(0)]);
    await serviceNames(client, { signal });
    for (const { timeoutMs, settings } of [...asked, ...(await sampleSql('a', 'b')), ...(await logSql('b'))]) {
      expect(timeoutMs).toBe(10_000);
      expect(Object.keys(settings ?? {})).toEqual(
        expect.arrayContaining(['max_memory_usage', 'max_result_bytes', 'max_rows_to_read', 'max_threads']),
      );
    }
  });
});
