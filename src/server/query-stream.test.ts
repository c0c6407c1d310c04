import { once } from 'node:events';
import http from 'node:http';
import { gunzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../../test/fault/http-fixture.ts';
import type { QueryRequest, QueryRoute } from '../query/query-route.ts';

let running: TestServer | undefined;
afterEach(async () => {
  await running?.stop();
  running = undefined;
});

async function serve(write: (request: QueryRequest) => AsyncIterable<Buffer>): Promise<TestServer> {
  const route: QueryRoute = {
    method: 'GET',
    path: '/large',
    handle: (request) => Promise.resolve({ status: 200, contentType: 'application/json', body: write(request) }),
  };
  running = await startTestServer({ queryRoutes: [route] });
  return running;
}

const text = 'x'.repeat(100_000);

describe('an answer that is written while it is sent', () => {
  it('arrives whole, packed where the client takes that', async () => {
    const { url } = await serve(async function* () {
      for (let i = 0; i < 5; i++) yield Buffer.from(text);
    });
    const plain = await fetch(`${url}/large`, { headers: { 'accept-encoding': 'identity' } });
    expect(plain.headers.get('content-encoding')).toBe(null);
    expect(await plain.text()).toBe(text.repeat(5));
    const asked = http.get(`${url}/large`, { headers: { 'accept-encoding': 'deflate, gzip' } });
    const [answer] = await once(asked, 'response');
    const chunks: Buffer[] = [];
    for await (const chunk of answer) chunks.push(chunk);
    expect(answer.headers['content-encoding']).toBe('gzip');
    expect(gunzipSync(Buffer.concat(chunks)).toString()).toBe(text.repeat(5));
  });

  it('has a head that waits for no body', async () => {
    const { url } = await serve(async function* () {
      yield Buffer.from(text);
      yield Buffer.from(text);
    });
    const head = await fetch(`${url}/large`, { method: 'HEAD' });
    expect([head.status, head.headers.get('content-type'), await head.text()]).toEqual([200, 'application/json', '']);
  });

  it.each(['gzip', 'identity'])(
    'ends its connection where it fails half-way, and the log says why (%s)',
    async (coding) => {
      const { url, logged } = await serve(async function* () {
        yield Buffer.from(text);
        throw new Error('a bug');
      });
      const reading = fetch(`${url}/large`, { headers: { 'accept-encoding': coding } }).then((answer) => answer.text());
      await expect(reading).rejects.toThrow();
      expect(logged.map(({ msg }) => msg)).toContain('An answer failed half-way; its connection was closed.');
    },
  );

  it('is written no further once its client has left', async () => {
    let written = 0;
    let ended: () => void = () => undefined;
    const end = new Promise<void>((resolve) => {
      ended = resolve;
    });
    const { url, logged } = await serve(async function* ({ signal }) {
      try {
        while (!signal.aborted) {
          written++;
          yield Buffer.from(text);
        }
      } finally {
        ended();
      }
    });
    const asked = http.get(`${url}/large`);
    const [answer] = await once(asked, 'response');
    await once(answer, 'data');
    answer.pause();
    asked.destroy();
    await end;
    expect(written).toBeGreaterThan(0);
    expect(logged.filter(({ level }) => level === 50)).toEqual([]);
  });
});
