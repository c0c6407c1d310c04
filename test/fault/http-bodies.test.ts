/** Bodies that are too large, broken, lying or packed to explode (reference: reliability rows 48-54). */
import { deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import {
  connectRaw,
  eachTestStartsServer,
  exchangeRaw,
  statusOf,
  type TestOptions,
  type TestServer,
} from './http-fixture.ts';

const start = eachTestStartsServer();

async function post(server: TestServer, body: Buffer, headers: Record<string, string> = {}) {
  const response = await fetch(`${server.url}/ingest`, { method: 'POST', body: new Uint8Array(body), headers });
  return { status: response.status, text: await response.text(), headers: response.headers };
}

const text = Buffer.from('{"some":"body"}'.repeat(1000));

describe('a body that is packed', () => {
  it.each([
    ['gzip', gzipSync(text)],
    ['x-gzip', gzipSync(text)],
    ['GZIP', gzipSync(text)],
    ['deflate', deflateSync(text)],
    ['deflate', deflateRawSync(text)],
    ['identity', text],
    ['identity, gzip', gzipSync(text)],
    ['gzip', Buffer.concat([gzipSync(text.subarray(0, 500)), gzipSync(text.subarray(500))])],
    ['gzip', Buffer.concat([gzipSync(text), Buffer.alloc(64)])],
  ])('arrives as it was written when it came as %s', async (encoding, packed) => {
    const server = await start();
    expect(await post(server, packed, { 'content-encoding': encoding })).toMatchObject({ status: 202 });
    expect(server.received[0]?.body.equals(text)).toBe(true);
  });

  it.each([
    ['plain text called gzip', 'gzip', text],
    ['plain text called deflate', 'deflate', text],
    ['a gzip that was cut short', 'gzip', gzipSync(text).subarray(0, -12)],
    ['a gzip without its checksum', 'gzip', gzipSync(text).subarray(0, -8)],
    ['a gzip with a wrong checksum', 'gzip', withFlippedByte(gzipSync(text), -6)],
    ['a gzip with other bytes behind it', 'gzip', Buffer.concat([gzipSync(text), Buffer.from('junk behind it')])],
  ])('is refused with 400 when it is %s', async (_what, encoding, body) => {
    const server = await start();
    const answer = await post(server, body, { 'content-encoding': encoding });
    expect(answer).toMatchObject({ status: 400, text: expect.stringContaining(`Content-Encoding: ${encoding}`) });
    expect(server.refused).toMatchObject([{ problem: 'bad_encoding' }]);
    expect(server.received).toEqual([]);
  });

  it('is refused with 415 and the list when its encoding is unknown, or one upon another', async () => {
    const server = await start();
    for (const encoding of ['zstd', 'br', 'gzip, gzip', 'nonsense']) {
      const answer = await post(server, text, { 'content-encoding': encoding });
      expect(answer).toMatchObject({ status: 415, text: expect.stringContaining('gzip, deflate, identity') });
      expect(answer.headers.get('accept-encoding')).toBe('gzip, deflate, identity');
    }
    expect(server.refused.map(({ problem }) => problem)).toEqual(Array(4).fill('unsupported_encoding'));
  });

  it('is not unpacked twice', async () => {
    const server = await start();
    expect(await post(server, gzipSync(gzipSync(text)), { 'content-encoding': 'gzip' })).toMatchObject({ status: 202 });
    expect(server.received[0]?.body.subarray(0, 2)).toEqual(Buffer.from([0x1f, 0x8b]));
  });
});

describe('a bomb', () => {
  it.each([
    ['of one member', gzipSync(Buffer.alloc(60_000_000))],
    ['of a thousand members', Buffer.concat(Array(1000).fill(gzipSync(Buffer.alloc(50_000))))],
    [
      'whose last member says it is small',
      Buffer.concat([gzipSync(Buffer.alloc(20_000_000)), gzipSync(Buffer.from('x'))]),
    ],
  ])('%s is stopped at the limit of what it inflates to', async (_what, bomb) => {
    const server = await start({ route: { bodyLimitBytes: 1_000_000, inflatedLimitBytes: 1_000_000 } });
    const before = process.cpuUsage();
    const answer = await post(server, bomb, { 'content-encoding': 'gzip' });
    const spent = process.cpuUsage(before);
    expect(answer).toMatchObject({ status: 413, text: expect.stringContaining('inflates to more than 1000000 bytes') });
    expect(server.refused).toMatchObject([{ problem: 'inflated_too_large' }]);
    // Said, not judged: the machine may be busy with something else.
    process.stdout.write(
      `a bomb of ${bomb.length} bytes cost ${Math.round((spent.user + spent.system) / 1000)} ms of CPU\n`,
    );
  });

  it('takes no memory beyond the budget when twenty come at once', async () => {
    const server = await start({
      limits: { bodyBytesInFlight: 3_000_000 },
      route: { bodyLimitBytes: 1_000_000, inflatedLimitBytes: 50_000_000 },
    });
    const bomb = gzipSync(Buffer.alloc(40_000_000));
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => post(server, bomb, { 'content-encoding': 'gzip' })),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([429]));
    expect(answers[0]?.headers.get('retry-after')).toBe('1');
    expect(await post(server, text)).toMatchObject({ status: 202 });
    expect(await server.meter.registry.getSingleMetricAsString('trawl_http_body_bytes_in_flight')).toContain(
      '_flight 0',
    );
  });
});

describe('the length of a body', () => {
  it('is refused with 413 before a byte of it came when Content-Length says too much', async () => {
    const server = await start();
    const client = connectRaw(server.port, 'POST /ingest HTTP/1.1\r\nHost: zipkin\r\nContent-Length: 70000\r\n\r\n');
    expect(await client.until(/send smaller batches/)).toMatch(/^HTTP\/1\.1 413 .*Connection: close/s);
    client.socket.destroy();
    expect(server.refused).toMatchObject([{ problem: 'body_too_large' }]);
  });

  it('is refused with 413 when the chunks together are too much, and the client can read so', async () => {
    const server = await start();
    const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n`;
    const answer = await exchangeRaw(
      server.port,
      `POST /ingest HTTP/1.1\r\nHost: zipkin\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.repeat(20)}0\r\n\r\n`,
    );
    expect(statusOf(answer)).toBe(413);
  });

  it('is not asked for with 100 Continue when it is too much, and is when it is not', async () => {
    const server = await start();
    const head = (length: number) =>
      `POST /ingest HTTP/1.1\r\nHost: zipkin\r\nExpect: 100-continue\r\nContent-Length: ${length}\r\n\r\n`;
    expect(await exchangeRaw(server.port, head(70_000))).toMatch(/^HTTP\/1\.1 413/);
    const client = connectRaw(server.port, head(5));
    await client.until(/^HTTP\/1\.1 100 Continue/);
    client.socket.write('hello');
    expect(await client.until(/ 202 /)).toMatch(/ 202 Accepted/);
    client.socket.destroy();
  });

  it('may be unknown, and the media type too', async () => {
    const server = await start();
    const client = connectRaw(
      server.port,
      'POST /ingest HTTP/1.1\r\nHost: outbound|9411||zipkin.istio-system.svc.cluster.local\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    );
    await client.until(/ 202 /);
    client.socket.destroy();
    expect(server.received).toMatchObject([{ mediaType: '', path: '/ingest' }]);
    expect(server.received[0]?.body.toString()).toBe('hello');
  });

  it('is refused when the body is cut short, whether by half a close or a whole one', async () => {
    const server = await start();
    const request = 'POST /ingest HTTP/1.1\r\nHost: zipkin\r\nContent-Length: 100\r\n\r\nonly this';
    const half = connectRaw(server.port, request);
    half.socket.end();
    expect(statusOf(await half.closed)).toBe(400);
    const whole = connectRaw(server.port, request);
    await new Promise((resolve) => whole.socket.once('connect', resolve));
    await new Promise((resolve) => setTimeout(resolve, 20));
    whole.socket.destroy();
    await expect.poll(() => server.refused.length).toBe(2);
    expect(server.refused.map(({ problem }) => problem)).toEqual(['body_incomplete', 'body_incomplete']);
    expect(server.received).toEqual([]);
  });

  it('leaves what comes behind it to the next request', async () => {
    const server = await start();
    const client = connectRaw(
      server.port,
      'POST /ingest HTTP/1.1\r\nHost: zipkin\r\nContent-Length: 3\r\n\r\nabcPOST /ingest HTTP/1.1\r\nHost: zipkin\r\nContent-Length: 2\r\n\r\nde',
    );
    await client.until(/ 202 .* 202 /s);
    client.socket.destroy();
    expect(server.received.map(({ body }) => body.toString())).toEqual(['abc', 'de']);
  });
});

describe('many bodies at once', () => {
  it('are refused with 429 beyond the budget, which claims of length alone do not use up', async () => {
    const server = await start({ limits: { bodyBytesInFlight: 100_000 } });
    const liars = Array.from({ length: 20 }, () =>
      connectRaw(server.port, 'POST /ingest HTTP/1.1\r\nHost: zipkin\r\nContent-Length: 60000\r\n\r\nx'),
    );
    await expect
      .poll(async () => await server.meter.registry.getSingleMetricAsString('trawl_http_body_bytes_in_flight'))
      .toContain('_flight 20');
    expect(await post(server, Buffer.alloc(50_000))).toMatchObject({ status: 202 });
    liars[0]?.socket.write(Buffer.alloc(55_000));
    await expect
      .poll(async () => await server.meter.registry.getSingleMetricAsString('trawl_http_body_bytes_in_flight'))
      .toContain('_flight 55020');
    expect(await post(server, Buffer.alloc(50_000))).toMatchObject({ status: 429 });
    for (const { socket } of liars) socket.destroy();
    await expect
      .poll(async () => await server.meter.registry.getSingleMetricAsString('trawl_http_body_bytes_in_flight'))
      .toContain('_flight 0');
  });

  it('takes a JSON of any depth for the bytes it is', async () => {
    const server = await start({ route: { bodyLimitBytes: 1_000_000 } });
    expect(await post(server, Buffer.from('['.repeat(200_000)))).toMatchObject({ status: 202 });
    expect(server.received[0]?.body.length).toBe(200_000);
  });
});

describe('a handler', () => {
  it('that fails is answered 500 without a word of its error, which is logged', async () => {
    const server = await start({ route: { handle: () => Promise.reject(new Error('secret inside')) } });
    const answer = await post(server, text);
    expect(answer).toMatchObject({ status: 500 });
    expect(answer.text).not.toContain('secret');
    expect(server.logged).toMatchObject([{ err: { message: 'secret inside' } }]);
  });

  it('that takes too long is given up with 503, and its signal aborts', async () => {
    let reason: unknown;
    const handle: NonNullable<TestOptions['route']>['handle'] = ({ signal }) =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () => {
          reason = signal.reason;
          resolve({ status: 202 });
        });
      });
    const server = await start({ limits: { handlerTimeoutMs: 100, checkIntervalMs: 20 }, route: { handle } });
    expect(await post(server, text)).toMatchObject({ status: 503, text: 'gave up after 0.1 s; try again later\n' });
    expect(reason).toMatchObject({ message: 'not answered within 0.1 s' });
  });

  it('learns by its signal that the client has left', async () => {
    let reason: unknown;
    let isAtWork = false;
    const handle: NonNullable<TestOptions['route']>['handle'] = async ({ signal }) => {
      isAtWork = true;
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      reason = signal.reason;
      return { status: 202 };
    };
    const server = await start({ route: { handle } });
    const client = connectRaw(server.port, 'POST /ingest HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab');
    await expect.poll(() => isAtWork).toBe(true);
    client.socket.destroy();
    await expect.poll(() => reason).toMatchObject({ message: 'the client left before it was answered' });
  });
});

function withFlippedByte(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  const index = copy.length + at;
  copy[index] = (copy[index] ?? 0) ^ 0xff;
  return copy;
}
