/**
 * Requests a second of 82 KB bodies through the bare HTTP side with a handler that does nothing, beside a bare node:http server.
 * Prints JSON. Usage: tsx bench/server.ts [seconds] [plain|gzip]
 */
import { fork } from 'node:child_process';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { Pool } from 'undici';
import { createMeter } from '../src/pipeline/meter.ts';
import { createServer } from '../src/server/server.ts';

const kinds = ['node:http', 'trawl', 'trawl-past-its-map'] as const;
const [role = 'main', seconds = '5', encoding = 'plain'] = process.argv.slice(2);

function makeBody(): Buffer {
  const span = (i: number) => ({
    traceId: (i * 2654435761).toString(16).padStart(32, '0'),
    id: (i * 40503).toString(16).padStart(16, '0'),
    name: 'reviews.default.svc.cluster.local:9080/*',
    tags: Object.fromEntries(Array.from({ length: 14 }, (_, t) => [`tag.${t}`, `value ${(i * 7919 * (t + 1)) % 100_003} of tag`])),
    localEndpoint: { serviceName: `service-${i % 50}.default`, ipv4: '10.0.0.1' },
  });
  return Buffer.from(JSON.stringify(Array.from({ length: 110 }, (_, i) => span(i))));
}

async function startTrawl(): Promise<number> {
  const log = pino({ level: 'silent' });
  const server = createServer({
    listeners: [{ host: '127.0.0.1', port: 0, paths: 'all' }],
    access: { query: 'open', queryTokens: [] },
    queryRoutes: [],
    operations: { readiness: [], health: () => [], flush: async () => {}, reload: async () => ({ kind: 'applied', changes: [] }) },
    meter: createMeter(new Registry(), Date.now),
    log,
    version: 'bench',
  });
  server.ingestRoutes.add({
    method: 'POST',
    path: '/api/v2/spans',
    bodyLimitBytes: 10 * 1024 * 1024,
    inflatedLimitBytes: 40 * 1024 * 1024,
    allowsAnyOrigin: true,
    handle: async () => ({ status: 202 }),
    refused: () => {},
  });
  await server.start();
  return server.addresses[0]?.port ?? 0;
}

async function startBare(): Promise<number> {
  const server = http.createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => {
      Buffer.concat(chunks);
      res.writeHead(202, { 'Content-Length': 0 }).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** In the child: serves, and says its CPU time when asked. */
async function serve(kind: string): Promise<void> {
  const port = kind === 'node:http' ? await startBare() : await startTrawl();
  process.send?.({ port });
  process.on('message', () => process.send?.({ cpu: process.cpuUsage(), rss: process.memoryUsage().rss }));
}

async function measure(kind: string): Promise<object> {
  const child = fork(new URL(import.meta.url), ['serve', kind], { execArgv: process.execArgv });
  const next = () => new Promise<Record<string, never>>((resolve) => child.once('message', resolve as never));
  const { port } = (await next()) as unknown as { port: number };
  const plain = makeBody();
  const body = encoding === 'gzip' ? gzipSync(plain, { level: 1 }) : plain;
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: 16 });
  const headers = { 'content-type': 'application/json', ...(encoding === 'gzip' ? { 'content-encoding': 'gzip' } : {}) };
  const path = kind === 'trawl-past-its-map' ? '/unknown' : '/api/v2/spans';
  const usage = async () => {
    child.send('usage');
    return (await next()) as unknown as { cpu: NodeJS.CpuUsage; rss: number };
  };
  const run = async (forMs: number) => {
    const until = performance.now() + forMs;
    let count = 0;
    await Promise.all(
      Array.from({ length: 16 }, async () => {
        while (performance.now() < until) {
          const response = await pool.request({ method: 'POST', path, headers, body });
          await response.body.dump();
          count += 1;
        }
      }),
    );
    return count;
  };
  await run(1_000);
  const before = await usage();
  const startMs = performance.now();
  const requests = await run(Number(seconds) * 1000);
  const elapsedMs = performance.now() - startMs;
  const after = await usage();
  child.kill();
  await pool.close();
  const cpuUs = after.cpu.user + after.cpu.system - before.cpu.user - before.cpu.system;
  return {
    kind,
    encoding,
    bodyBytes: body.length,
    inflatedBytes: plain.length,
    requestsPerSecond: Math.round((requests / elapsedMs) * 1000),
    cpuUsPerRequest: Math.round(cpuUs / requests),
    residentMiB: Math.round(after.rss / 1024 / 1024),
  };
}

if (role === 'serve') await serve(seconds);
else {
  const results: object[] = [];
  for (const kind of kinds.slice(0, 2)) results.push(await measure(kind));
  console.log(JSON.stringify({ node: process.version, seconds: Number(seconds), results }, null, 2));
}
