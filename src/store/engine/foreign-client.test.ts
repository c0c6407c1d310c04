import { Agent } from 'node:http';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { type ClickHouseClient, ClickHouseError, ClickHouseLogLevel, createClient } from '@clickhouse/client';
import { afterEach, describe, expect, it } from 'vitest';
import { startTestStore, type TestStore } from '../../../test/fixtures/test-store.ts';

let store: TestStore | undefined;
let client: ClickHouseClient | undefined;
afterEach(async () => {
  await client?.close();
  await store?.stop();
});

async function connect(overTcp: boolean): Promise<ClickHouseClient> {
  store = await startTestStore({ overTcp, withoutSchema: true });
  const { at } = store;
  // socketPath is an option of the connection, which @types/node lists with the request's only.
  const options = 'url' in at ? {} : { keepAlive: true, socketPath: at.socketPath };
  client = createClient({
    url: 'url' in at ? at.url : 'http://store.invalid',
    password: 'url' in at ? at.token : '',
    compression: { request: false, response: false },
    log: { level: ClickHouseLogLevel.OFF },
    ...('url' in at ? {} : { http_agent: new Agent(options) }),
  });
  return client;
}

describe.each([
  ['a unix socket', false],
  ['an address with a token', true],
])('ClickHouse\u2019s own client at the store process on %s', (_, overTcp) => {
  it('asks with parameters, inserts rows, and is told what is wrong', { timeout: 30_000 }, async () => {
    const own = await connect(overTcp);
    await own.command({ query: 'CREATE TABLE t (x UInt64) ENGINE = MergeTree ORDER BY x' });
    // One Native block: a column, two rows, its name, its type, the values.
    const block = Buffer.concat([
      Buffer.from([1, 2, 1, 0x78, 6]),
      Buffer.from('UInt64'),
      Buffer.from(BigUint64Array.of(7n, 8n).buffer),
    ]);
    await own.exec({
      query: "INSERT INTO t SELECT x FROM input('x UInt64') FORMAT Native",
      values: Readable.from([block], { objectMode: false }),
    });
    const { stream } = await own.exec({
      query: 'SELECT x, {text:String} FROM t WHERE x IN {list:Array(UInt64)} ORDER BY x FORMAT TSV',
      query_params: { text: "it's", list: [7, 8, 9] },
    });
    expect((await buffer(stream)).toString()).toBe("7\tit\\'s\n8\tit\\'s\n");
    await expect(own.exec({ query: 'SELECT * FROM nowhere' })).rejects.toMatchObject({
      constructor: ClickHouseError,
      code: '60',
    });
  });
});
