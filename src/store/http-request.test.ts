import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { Readable } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { openConnections, parameterText, type StoreConnections, type StoreRequest } from './http-request.ts';

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

async function serving(listener: RequestListener, options: { path?: string; token?: string } = {}) {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const store = openConnections(
    { url: `http://127.0.0.1:${port}${options.path ?? ''}`, token: options.token ?? '' },
    2,
  );
  closing.push(() => {
    store.close();
    server.closeAllConnections();
    server.close();
  });
  return { store, server };
}

const ask = (store: StoreConnections, request: Partial<StoreRequest> = {}) =>
  store.ask({ sql: 'SELECT 1', signal: new AbortController().signal, ...request });

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += chunk;
  return text;
}

describe('a request to a store', () => {
  it('carries the query in the body, parameters in the URL, and who asks', async () => {
    const seen: unknown[] = [];
    const { store } = await serving(
      (request, response) => {
        void textOf(request).then((text) => {
          seen.push(request.method, new URL(request.url ?? '', 'http://a').searchParams.toString(), text);
          seen.push(Buffer.from((request.headers.authorization ?? '').slice(6), 'base64').toString());
          response.end('answer');
        });
      },
      { path: '/mesh', token: 'a:token' },
    );
    const answer = await ask(store, { sql: 'SELECT {a:String}', parameters: { a: 'x\ty' } });
    expect(answer.toString()).toBe('answer');
    expect(seen).toEqual([
      'POST',
      'database=mesh&wait_end_of_query=1&param_a=x%5Cty',
      'SELECT {a:String}',
      'default:a:token',
    ]);
  });

  it.each([
    ['bytes', () => Buffer.from('rows')],
    ['a stream', () => Readable.from([Buffer.from('ro'), Buffer.from('ws')], { objectMode: false })],
  ])('carries an INSERT in the URL and its rows, given as %s, in the body', async (_, body) => {
    let seen = '';
    const { store } = await serving((request, response) => {
      void textOf(request).then((text) => {
        seen = `${new URL(request.url ?? '', 'http://a').searchParams.get('query')}|${text}`;
        response.end();
      });
    });
    await ask(store, { sql: 'INSERT', body: body() });
    expect(seen).toBe('INSERT|rows');
  });

  it('uses a connection again', async () => {
    const sockets = new Set<unknown>();
    const { store } = await serving((request, response) => {
      sockets.add(request.socket);
      response.end();
    });
    for (let i = 0; i < 5; i++) await ask(store);
    expect(sockets.size).toBe(1);
  });

  it.each([
    [
      'Code: 60. DB::Exception: Unknown table spans. (UNKNOWN_TABLE) (version 26.7)',
      60,
      'UNKNOWN_TABLE',
      'Unknown table spans.',
    ],
    [
      'Code: 57. DB::Exception: There was an error on [a:9000]: Code: 57. DB::Exception: Table x (2) exists. (TABLE_ALREADY_EXISTS) (version 1). (TABLE_ALREADY_EXISTS)',
      57,
      'TABLE_ALREADY_EXISTS',
      'Table x (2) exists.',
    ],
    ['<html>bad gateway</html>', undefined, 'unknown', 'HTTP 500: <html>bad gateway</html>'],
  ])('throws what the store refused with: %j', async (body, code, type, message) => {
    const { store } = await serving((_, response) => {
      response.statusCode = 500;
      response.end(body);
    });
    await expect(ask(store)).rejects.toMatchObject({ name: 'StoreAnswerError', code, type, message });
  });

  it('takes no exception that follows the beginning of an answer for a part of it', async () => {
    const exception = 'Code: 241. DB::Exception: Too much memory. (MEMORY_LIMIT_EXCEEDED)';
    const { store } = await serving((_, response) => {
      response.setHeader('X-ClickHouse-Exception-Tag', 'rumfyutuqkncbgau');
      response.write('1\t2\n');
      response.end(`\r\n__exception__\r\nrumfyutuqkncbgau\r\n${exception}\n66 rumfyutuqkncbgau\r\n__exception__\r\n`);
    });
    await expect(ask(store)).rejects.toMatchObject({ code: 241, type: 'MEMORY_LIMIT_EXCEEDED' });
  });

  it('takes rows that tell of an exception for rows', async () => {
    const rows = 'Code: 241. DB::Exception: Too much memory.\r\n__exception__\r\nguessed\r\n__exception__\r\n';
    const { store } = await serving((_, response) => {
      response.setHeader('X-ClickHouse-Exception-Tag', 'rumfyutuqkncbgau');
      response.end(rows);
    });
    expect((await ask(store)).toString()).toBe(rows);
  });

  it.each([
    ['an exception', 'Code: 252. DB::Exception: Too many parts. (TOO_MANY_PARTS)', 252],
    ['anything else', '<html>Welcome</html>', undefined],
  ])('takes no INSERT for done that is answered 200 with %s', async (_, said, code) => {
    const { store } = await serving((request, response) => {
      request.on('end', () => response.end(said)).resume();
    });
    await expect(ask(store, { sql: 'INSERT', body: Buffer.from('rows') })).rejects.toMatchObject({
      name: 'StoreAnswerError',
      code,
    });
  });

  it('fails when the answer is cut short', async () => {
    const { store } = await serving((_, response) => {
      response.setHeader('Content-Length', 100);
      response.write('half');
      setTimeout(() => response.destroy(), 10);
    });
    await expect(ask(store)).rejects.toThrow('aborted');
  });

  it('fails when nobody listens', async () => {
    const { store, server } = await serving(() => undefined);
    server.close();
    await once(server, 'close');
    await expect(ask(store)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it.each(['before an answer', 'in the middle of one'])('ends the exchange when it is aborted %s', async (when) => {
    const ending = new AbortController();
    let left: () => void = () => undefined;
    const gone = new Promise<void>((resolve) => {
      left = resolve;
    });
    const { store } = await serving((_, response) => {
      response.on('close', left);
      if (when !== 'before an answer') response.write('half');
      setTimeout(() => ending.abort(), 10);
    });
    await expect(ask(store, { signal: ending.signal })).rejects.toThrow('the request was aborted');
    await gone;
  });

  it('fails when the rows of an INSERT cannot be read', async () => {
    const { store } = await serving((request, response) => {
      request
        .on('error', () => undefined)
        .on('end', () => response.end())
        .resume();
    });
    const body = new Readable({
      read() {
        this.destroy(new Error('the disk is broken'));
      },
    });
    await expect(ask(store, { body })).rejects.toThrow('the disk is broken');
  });
});

describe('parameterText', () => {
  it.each([
    ["it's a \\ and a\ttab\r\n", "it\\'s a \\\\ and a\\ttab\\r\\n"],
    [12n, '12'],
    [-1.5, '-1.5'],
    [true, '1'],
    [['a', "b'c"], "['a','b\\'c']"],
    [[1, 2n], '[1,2]'],
  ])('writes %s as ClickHouse reads it', (value, text) => {
    expect(parameterText(value)).toBe(text);
  });
});
