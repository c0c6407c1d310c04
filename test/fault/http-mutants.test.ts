/** Mutated requests over real sockets: whatever comes, the server answers or closes, holds nothing back, and serves the next client. */
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { createRandom } from '../fixtures/random.ts';
import { connectRaw, eachTestStartsServer } from './http-fixture.ts';

const start = eachTestStartsServer();

const seed = Number(process.env['TRAWL_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const count = Number(process.env['TRAWL_MUTANTS'] ?? 600);

const packed = gzipSync('{"some":"body"}'.repeat(200));
const head = (lines: string) => Buffer.from(`${lines}\r\n\r\n`);
const valid: readonly Buffer[] = [
  Buffer.concat([head('POST /ingest HTTP/1.1\r\nHost: zipkin\r\nContent-Length: 5'), Buffer.from('hello')]),
  Buffer.concat([
    head(`POST /ingest HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: ${packed.length}`),
    packed,
  ]),
  Buffer.from(
    'POST /ingest HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nTrailer: x\r\n\r\n',
  ),
  Buffer.concat([
    head('POST /ingest HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3'),
    Buffer.from('abc'),
  ]),
  head('GET /-/ready HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\nConnection: keep-alive'),
  head('GET /api/trawl/status?x=y HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer x'),
  head('OPTIONS /ingest HTTP/1.1\r\nHost: a\r\nOrigin: http://b\r\nAccess-Control-Request-Method: POST'),
  head('GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade'),
  head('CONNECT a:1 HTTP/1.1\r\nHost: a'),
];

/** One to three of: a byte changed, a piece cut out, a piece doubled, another request's piece put in, the end cut off. */
function mutate(random: () => number): Buffer {
  const pick = (below: number) => Math.floor(random() * below);
  const any = () => valid[pick(valid.length)] ?? Buffer.alloc(0);
  let bytes: Buffer = Buffer.concat(Array.from({ length: 1 + pick(3) }, any));
  for (let left = 1 + pick(3); left > 0; left -= 1) {
    const from = pick(bytes.length + 1);
    const to = Math.min(bytes.length, from + pick(40));
    const [before, piece, after] = [bytes.subarray(0, from), bytes.subarray(from, to), bytes.subarray(to)];
    const kinds = [
      () => Buffer.concat([before, Buffer.from([pick(256)]), after]),
      () => Buffer.concat([before, after]),
      () => Buffer.concat([before, piece, piece, after]),
      () => Buffer.concat([before, any().subarray(0, pick(60)), after]),
      () => before,
    ];
    bytes = kinds[pick(kinds.length)]?.() ?? bytes;
  }
  return bytes;
}

describe('mutated requests', () => {
  it(`leave nothing behind and nobody waiting (TRAWL_SEED=${seed})`, async () => {
    const limits = { requestTimeoutMs: 1_500, headersTimeoutMs: 1_000, checkIntervalMs: 50, handlerTimeoutMs: 1_000 };
    const server = await start({ limits });
    const random = createRandom(seed);
    for (let done = 0; done < count; done += 50) {
      const clients = Array.from({ length: 50 }, () => {
        const client = connectRaw(server.port, mutate(random));
        // Half of them hang up at once, half wait for what the server does.
        if (random() < 0.5) client.socket.end();
        else setTimeout(() => client.socket.end(), 30);
        return client;
      });
      await Promise.all(clients.map(({ closed }) => closed));
    }
    const metric = async (name: string) => await server.meter.registry.getSingleMetricAsString(name);
    await expect.poll(() => metric('trawl_http_requests_in_flight')).toContain('_flight 0');
    await expect.poll(() => metric('trawl_http_body_bytes_in_flight')).toContain('_flight 0');
    await expect.poll(() => metric('trawl_http_connections')).toContain('_connections 0');
    expect((await fetch(`${server.url}/-/healthy`)).status).toBe(200);
    expect(server.logged.filter(({ level }) => Number(level) >= 50)).toEqual([]);
  });
});
