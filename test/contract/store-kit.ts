/** What every store must do, whichever way it is reached: each test goes through the client that the agent uses. */
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StoreClient } from '../../src/store/client.ts';
import { StoreError } from '../../src/store/client.ts';
import type { StoreAddress } from '../../src/store/http-client.ts';
import { createRandom } from '../fixtures/random.ts';
import { encodeNativeBlock } from './native-block.ts';

export interface StoreUnderTest {
  readonly client: StoreClient;
  readonly at: StoreAddress;
  kill9(): Promise<void>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

const signal = () => AbortSignal.timeout(20_000);
const structure = 'k UInt64, v Float64, text String';
const insertSql = `INSERT INTO kit (k, v, text) SELECT k, v, text FROM input('${structure}')`;
/** Runs for minutes on one thread unless it is ended. */
const endlessSql = 'SELECT count() AS n FROM numbers(1000000000000) WHERE sipHash64(number) = 42';

/** As many as a store process has unless told: those of large queries, and four for small ones. */
const readers = 8;

/** Its estimated rows alone are over a reader's limit. */
const endless = { max_rows_to_read: 0, max_threads: 1 };

const staleMarker = bits(0x7ff0000000000002n);

function bits(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
}

/** Rows from `first` on; each has its key's bits as its value unless values are given. */
function rowsOf(first: number, count: number, values?: readonly Buffer[]): Buffer {
  const keys = Array.from({ length: count }, (_, index) => BigInt(first + index));
  return encodeNativeBlock([
    { name: 'k', type: 'UInt64', values: keys },
    { name: 'v', type: 'Float64', values: values ?? keys.map(bits) },
    { name: 'text', type: 'String', values: keys.map((key) => `row ${key}`) },
  ]);
}

async function errorOf(promise: Promise<unknown>): Promise<StoreError> {
  const outcome = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(outcome).toBeInstanceOf(StoreError);
  if (!(outcome instanceof StoreError)) throw new Error('the store did not refuse');
  return outcome;
}

/** Asks the store directly, past the client, with whatever URL parameters. */
export function askRaw(
  at: StoreAddress,
  {
    path,
    body = '',
    headers = {},
  }: { readonly path: string; readonly body?: string; readonly headers?: Record<string, string> },
): Promise<{ status: number; code: string | undefined; text: string }> {
  return new Promise((resolve, reject) => {
    const token = 'url' in at ? { 'X-ClickHouse-User': 'default', 'X-ClickHouse-Key': at.token ?? '' } : {};
    const where =
      'url' in at ? { host: new URL(at.url).hostname, port: new URL(at.url).port } : { socketPath: at.socketPath };
    const asked = request(
      { ...where, path, method: 'POST', headers: { ...token, ...headers }, agent: false },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () => {
          const code = response.headers['x-clickhouse-exception-code'];
          resolve({ status: response.statusCode ?? 0, code: typeof code === 'string' ? code : undefined, text });
        });
      },
    );
    asked.on('error', reject);
    asked.end(body);
  });
}

/** Runs the kit against a store; `start` is called once and its store is stopped at the end. */
export function describeStore(name: string, start: () => Promise<StoreUnderTest>): void {
  describe(name, () => {
    let store: StoreUnderTest;
    const count = async (where: string): Promise<number> => {
      const [row] = await store.client.rows<{ n: number }>({
        sql: `SELECT toUInt32(count()) AS n FROM kit WHERE ${where}`,
        signal: signal(),
      });
      return row?.n ?? -1;
    };
    const insert = (body: Buffer, deduplicationToken: string) =>
      store.client.insert({ sql: insertSql, body, deduplicationToken, signal: signal() });
    const runningQueries = async (): Promise<number> => {
      const [row] = await store.client.rows<{ n: number }>({
        sql: "SELECT toUInt32(count()) AS n FROM system.processes WHERE query LIKE '%numbers(1000000000000)%' AND query NOT LIKE '%system.processes%'",
        signal: signal(),
      });
      return row?.n ?? -1;
    };
    const untilNoneRuns = async () => {
      for (let attempt = 0; attempt < 200 && (await runningQueries()) > 0; attempt++) await pause(25);
      expect(await runningQueries()).toBe(0);
    };

    beforeAll(async () => {
      store = await start();
      await store.client.command({
        sql: `CREATE TABLE kit (k UInt64, v Float64, text String) ENGINE = MergeTree ORDER BY k
SETTINGS non_replicated_deduplication_window = 1000, fsync_after_insert = 1, fsync_part_directory = 1`,
        signal: signal(),
      });
    });
    afterAll(() => store.stop());

    it('gives back every bit of what was inserted, NaN payloads and infinities among it', async () => {
      const values = [staleMarker, bits(0x7ff8000000000001n), bits(0xfff0000000000000n), bits(0x8000000000000000n)];
      await insert(rowsOf(0, values.length, values), 'bits');
      const sql = 'SELECT v FROM kit WHERE k < 4 ORDER BY k';
      const rowBinary = await store.client.bytes({ sql, format: 'RowBinary', signal: signal() });
      expect(rowBinary.equals(Buffer.concat(values))).toBe(true);
      const native = await store.client.bytes({ sql, format: 'Native', signal: signal() });
      expect(native.subarray(-32).equals(Buffer.concat(values))).toBe(true);
    });

    it('takes blocks one after another in one INSERT', async () => {
      await insert(Buffer.concat([rowsOf(100, 3), rowsOf(103, 4)]), 'two blocks');
      expect(await count('k BETWEEN 100 AND 199')).toBe(7);
    });

    it('stores an INSERT once however often it comes with the same token, and again with another', async () => {
      for (const token of ['seg-1', 'seg-1', 'seg-1']) await insert(rowsOf(200, 5), token);
      expect(await count('k BETWEEN 200 AND 299')).toBe(5);
      await insert(rowsOf(200, 5), 'seg-2');
      expect(await count('k BETWEEN 200 AND 299')).toBe(10);
      // A token that stuck to the session would swallow this one.
      await insert(rowsOf(200, 5), 'seg-3');
      expect(await count('k BETWEEN 200 AND 299')).toBe(15);
    });

    it('takes an INSERT without rows and an INSERT without a body for nothing to do', async () => {
      await insert(rowsOf(300, 0), 'no rows');
      await insert(Buffer.alloc(0), 'no body');
      expect(await count('k BETWEEN 300 AND 399')).toBe(0);
    });

    it('refuses an INSERT whose body was cut short, for good, and stores none of it', async () => {
      const body = rowsOf(400, 50);
      const error = await errorOf(insert(body.subarray(0, body.length - 7), 'torn'));
      expect(error.isRetryable).toBe(false);
      expect(await count('k BETWEEN 400 AND 499')).toBe(0);
    });

    it('hands parameters of every type through unaltered', async () => {
      const text = 'it\'s "q" \\ back\\\\ \t\n\r\0 ünï 😀 {x:String} -- /* */ \\N';
      const [row] = await store.client.rows({
        sql: `SELECT {text:String} AS text, {empty:String} AS empty, {big:UInt64} AS big, {small:Int64} AS small, {flag:Bool} AS flag,
{texts:Array(String)} AS texts, {numbers:Array(UInt64)} AS numbers, {none:Array(String)} AS none, {time:DateTime64(3, 'UTC')} AS time,
hex({id:FixedString(3)}) AS id, toString({ratio:Float64}) AS ratio`,
        parameters: {
          text,
          empty: '',
          big: 18446744073709551615n,
          small: -9223372036854775808n,
          flag: true,
          texts: [text, '', "'", '\\'],
          numbers: [1n, 18446744073709551615n],
          none: [],
          time: '2026-11-21 10:00:00.123',
          id: 'abc',
          ratio: 0.1,
        },
        signal: signal(),
      });
      expect(row).toEqual({
        text,
        empty: '',
        big: '18446744073709551615',
        small: '-9223372036854775808',
        flag: true,
        texts: [text, '', "'", '\\'],
        numbers: ['1', '18446744073709551615'],
        none: [],
        time: '2026-11-21 10:00:00.123',
        id: '616263',
        ratio: '0.1',
      });
    });

    // A store process puts strings alone into the statement's text; beside another type it leaves them to the engine.
    it.each(['alone', 'beside a list'])(
      'lets no string out of its quotes, %s: pieces of SQL, of escapes and of placeholders at random (seed 77)',
      async (how) => {
        const random = createRandom(77);
        const pieces = `' " \` \\ \\\\ \\' '' \0 \x001 \n \r \t \b \f \x1b {t1:String} {n:Int64} -- /* */ # $$ ; ? % \u2018 \u2019 \u201c \u200b \u2028 é 😀 \\x41 \\N \\0 ) a`;
        const alphabet = [...pieces.split(' '), ' ', ', sleep(3)', ' OR 1 = 1 --'];
        const randomText = () =>
          Array.from({ length: Math.floor(random() * 7) }, () => alphabet[Math.floor(random() * alphabet.length)]).join(
            '',
          );
        for (let round = 0; round < 10; round++) {
          const texts = Array.from({ length: 40 }, randomText);
          const columns = texts.map((_, i) => `hex({t${i}:String}) AS h${i}`);
          const list = how === 'alone' ? [] : ['length({list:Array(UInt8)}) AS list'];
          const [row] = await store.client.rows<Record<string, string>>({
            sql: `SELECT ${[...columns, "'{t1:String}' AS literal", ...list].join(', ')} /* {t2:String} */`,
            parameters: { list: [1], ...Object.fromEntries(texts.map((text, i) => [`t${i}`, text])) },
            signal: signal(),
          });
          expect(texts.map((_, i) => Buffer.from(row?.[`h${i}`] ?? '', 'hex').toString())).toEqual(texts);
          expect(row?.['literal']).toBe('{t1:String}');
        }
      },
    );

    it('does not let a parameter of one query stand in for a missing one of the next', async () => {
      const ask = (parameters?: Record<string, string>) =>
        store.client.rows({
          sql: 'SELECT {leftover:String} AS x',
          signal: signal(),
          ...(parameters && { parameters }),
        });
      for (let i = 0; i < 8; i++) await ask({ leftover: `from query ${i}` });
      for (let i = 0; i < 8; i++) expect((await errorOf(ask())).code).toBe(456);
    });

    it('names what is wrong by ClickHouse’s numbers, and says that repeating will not help', async () => {
      const failing = [
        ['SELECT * FROM no_such_table', 60],
        ['SELECT no_such_column FROM kit', 47],
        ['SELEKT 1', 62],
        ['SELECT throwIf(1)', 395],
      ] as const;
      for (const [sql, code] of failing) {
        const error = await errorOf(store.client.rows({ sql, signal: signal() }));
        expect([sql, error.code, error.isRetryable]).toEqual([sql, code, false]);
      }
    });

    it('ends a query at its time limit and a result at its size limit', async () => {
      const slow = await errorOf(
        store.client.rows({ sql: endlessSql, timeoutMs: 300, settings: endless, signal: signal() }),
      );
      expect(slow.code).toBe(159);
      const large = store.client.bytes({
        sql: "SELECT concat(toString(number), repeat('x', 1000)) FROM numbers(20000)",
        format: 'RowBinary',
        settings: { max_result_bytes: 1_000_000 },
        signal: signal(),
      });
      expect((await errorOf(large)).code).toBe(396);
    });

    it('answers with a result of many megabytes whole', async () => {
      const bytes = await store.client.bytes({
        sql: 'SELECT number FROM numbers(2000000)',
        format: 'RowBinary',
        signal: signal(),
      });
      expect(bytes.length).toBe(16_000_000);
      expect(bytes.readBigUInt64LE(15_999_992)).toBe(1_999_999n);
    });

    it('ends the query of a client that has left', async () => {
      const leaving = new AbortController();
      const asked = errorOf(
        store.client.rows({ sql: endlessSql, timeoutMs: 60_000, settings: endless, signal: leaving.signal }),
      );
      for (let attempt = 0; attempt < 200 && (await runningQueries()) === 0; attempt++) await pause(10);
      expect(await runningQueries()).toBe(1);
      leaving.abort();
      expect((await asked).isRetryable).toBe(false);
      await untilNoneRuns();
    });

    it('runs fifty queries at once, a few at a time', async () => {
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, index) =>
          store.client.rows({
            sql: 'SELECT {index:UInt32} AS index, toUInt32(count()) AS n FROM numbers(300000) WHERE sipHash64(number) % 2 < 2',
            parameters: { index },
            signal: signal(),
          }),
        ),
      );
      expect(answers).toEqual(Array.from({ length: 50 }, (_, index) => [{ index, n: 300_000 }]));
    });

    it('goes on inserting while slow queries occupy every reader', async () => {
      const leaving = new AbortController();
      const slow = Array.from({ length: readers }, () =>
        errorOf(
          store.client.rows({
            sql: endlessSql,
            timeoutMs: 60_000,
            settings: endless,
            signal: leaving.signal,
          }),
        ),
      );
      await pause(200);
      const another = errorOf(store.client.rows({ sql: 'SELECT 1', signal: AbortSignal.timeout(300) }));
      for (let i = 0; i < 5; i++) await insert(rowsOf(500 + i, 1), `beside readers ${i}`);
      // It had to wait for a reader, so all of them were at work.
      await another;
      leaving.abort();
      await Promise.all(slow);
      await untilNoneRuns();
      expect(await count('k BETWEEN 500 AND 599')).toBe(5);
    });

    it('refuses every setting that is sent apart from the query, by name', async () => {
      for (const setting of [
        'max_threads=1',
        'insert_deduplication_token=x',
        'readonly=0',
        'session_id=a',
        'wait_end_of_query=2',
      ]) {
        const answer = await askRaw(store.at, { path: `/?${setting}`, body: 'SELECT 1' });
        expect(answer).toMatchObject({ code: '115' });
        expect(answer.text).toContain(setting.split('=')[0]);
      }
      expect((await errorOf(store.client.command({ sql: 'SET max_threads = 1', signal: signal() }))).code).toBe(497);
    });

    it('reads no files and calls no other hosts', async () => {
      const outside = [
        "SELECT * FROM file('/etc/passwd', LineAsString)",
        "SELECT * FROM fi/**/le('/etc/passwd')",
        "SELECT * FROM FILE ('/etc/passwd', 'LineAsString', 'x String')",
        "SELECT file('/etc/passwd')",
        "SELECT * FROM `file`('/etc/passwd', LineAsString)",
        "SELECT * FROM `fi\\x6ce`('/etc/passwd', LineAsString)",
        'SELECT * FROM "file"(\'/etc/passwd\', LineAsString)',
        "SELECT * FROM url('http://127.0.0.1:1/', LineAsString)",
        "SELECT * FROM remote('127.0.0.1', system.one)",
        "SELECT * FROM s3('http://127.0.0.1:1/x', 'CSV')",
        "SELECT * FROM executable('id', 'CSV', 'x String')",
        "SELECT 1 INTO OUTFILE '/tmp/x'",
        "CREATE TABLE f (x String) ENGINE = File('CSV', '/etc/passwd')",
      ];
      for (const sql of outside) {
        const error = await errorOf(store.client.command({ sql, signal: signal() }));
        expect([sql, error.code]).toEqual([sql, sql.includes('/**/') ? 62 : 497]);
      }
      const quoted = await store.client.rows({
        sql: "SELECT 'file(x)' AS x, `y` FROM (SELECT 1 AS y) -- url(",
        signal: signal(),
      });
      expect(quoted).toEqual([{ x: 'file(x)', y: 1 }]);
    });

    it('keeps what it has answered for through kill -9, and the client finds it again', async () => {
      await insert(rowsOf(700, 9), 'before the kill');
      await store.kill9();
      const error = await errorOf(store.client.rows({ sql: 'SELECT 1', signal: signal() }));
      expect([error.code, error.isRetryable]).toEqual([undefined, true]);
      await store.restart();
      expect(await count('k BETWEEN 700 AND 799')).toBe(9);
      await insert(rowsOf(700, 9), 'before the kill');
      expect(await count('k BETWEEN 700 AND 799')).toBe(9);
    });
  });
}

function pause(delayMs: number): Promise<void> {
  return new Promise((wake) => setTimeout(wake, delayMs));
}
