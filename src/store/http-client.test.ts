import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startTestStore, type TestStore } from '../../test/fixtures/test-store.ts';
import { StoreError } from './client.ts';
import { createStoreClient } from './http-client.ts';

const signal = new AbortController().signal;

async function failureOf(work: Promise<unknown>): Promise<StoreError> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof StoreError)) throw new Error(`no StoreError: ${String(error)}`);
  return error;
}

describe('a query with long texts', () => {
  let store: TestStore;
  beforeAll(async () => {
    store = await startTestStore({ withoutSchema: true });
  }, 30_000);
  afterAll(() => store.stop());
  const lengthOf = (text: string) =>
    store.client.rows<{ n: string }>({ sql: 'SELECT length({text:String}) AS n', parameters: { text }, signal });

  it.each([
    ['the URL would be', '\\', 300_000],
    ['the URL would be', "'", 300_000],
    ['the engine’s query would be', '\\', 150_000],
    ['the engine’s query would be', 'a', 300_000],
  ])('is refused for good and in words where %s too long: %s, %i times', async (_, letter, count) => {
    const failure = await failureOf(lengthOf(letter.repeat(count)));
    expect(failure.message).toBe('The query is too long for the store; ask for less, or with shorter texts');
    expect(failure).toMatchObject({ isRetryable: false, code: 229 });
  });

  it('is answered where it is shorter', async () => {
    expect(await lengthOf('\\'.repeat(30_000))).toEqual([{ n: '30000' }]);
    expect(await lengthOf('a'.repeat(200_000))).toEqual([{ n: '200000' }]);
  });
});

describe('the errors of a store by URL', () => {
  const closing: (() => void)[] = [];
  afterEach(() => {
    for (const close of closing.splice(0)) close();
  });
  const serving = async (listener: RequestListener) => {
    const server = createServer(listener).listen(0, '127.0.0.1');
    await once(server, 'listening');
    closing.push(() => {
      server.closeAllConnections();
      server.close();
    });
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  };
  const clientAt = (url: string, token?: string) => {
    const client = createStoreClient({ url, ...(token === undefined ? {} : { token }) });
    closing.push(() => void client.close());
    return client;
  };

  it.each([
    ['a password inside the URL', 'tom:p%40ss%3Aword@', undefined, ['p@ss:word', 'p%40ss%3Aword', 'tom:p@ss:word']],
    ['a token', '', 'the-token', ['the-token', 'default:the-token']],
    ['a token for a user inside the URL', 'tom@', 'the-token', ['the-token', 'tom:the-token']],
  ])(
    'hide %s, however the server repeats it, in the message and in what a log shows of its cause',
    async (_, user, token, secrets) => {
      const port = await serving((request, response) => {
        response.statusCode = 500;
        response.end(`no: ${request.headers.authorization} ${secrets.join(' ')}`);
      });
      const failure = await failureOf(
        clientAt(`http://${user}127.0.0.1:${port}`, token).rows({ sql: 'SELECT 1', signal }),
      );
      const shown = `${failure.stack} ${failure.cause instanceof Error ? failure.cause.stack : ''} ${JSON.stringify(failure)}`;
      expect(shown).toContain('[REDACTED]');
      for (const secret of secrets) {
        expect(shown).not.toContain(secret);
        expect(shown).not.toContain(Buffer.from(secret).toString('base64'));
      }
    },
  );

  it('do not repeat an address that is no URL, which may hold a password', () => {
    const make = () => createStoreClient({ url: 'http://tom:secret@host:99999' });
    expect(make).toThrow('the address of the store is no URL; write it like http://trawl-store:9530');
    try {
      make();
    } catch (error) {
      expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('secret');
    }
  });
});
