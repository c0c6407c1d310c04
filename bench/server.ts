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

const kinds = ['node:http', 'trawl'] as const;
const [role = 'main', seconds = '5', encoding = 'plain'] = process.argv.slice(2);

function makeBody(): Buffer {
  const span = (i: number) => ({
    traceId: (i * 2654435761).toString(16).padStart(32, '0'),
    id: (i * 40503).toString(16).padStart(16, '0'),
    name: 'reviews.default.svc.cluster.local:9080/*',
    tags: Object.fromEntries(
      Array.from({ length: 14 }, (_, t) => [`tag.${t}`, `value ${(i * 7919 * (t + 1)) % 100_003} of tag`]),
    ),
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
    operations: {
      readiness: [],
      health: () => [],
      flush: async () => {},
      reload: async () => ({ kind: 'applied', changes: [] }),
    },
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
  // An orderly end, so that `node --cpu-prof --import tsx` writes a profile of it.
  process.on('disconnect', () => process.exit(0));
  process.on('message', () => process.send?.({ cpu: process.cpuUsage(), rss: process.memoryUsage().rss }));
}

interface Usage {
  readonly cpu: NodeJS.CpuUsage;
  readonly rss: number;
}

interface Candidate {
  readonly kind: string;
  /** Sends for so long and counts the answers. */
  run(forMs: number): Promise<number>;
  usage(): Promise<Usage>;
  close(): Promise<void>;
}

const plain = makeBody();
const body = encoding === 'gzip' ? gzipSync(plain, { level: 1 }) : plain;

async function startCandidate(kind: string): Promise<Candidate> {
  const child = fork(new URL(import.meta.url), ['serve', kind], { execArgv: process.execArgv });
  const next = () => new Promise<never>((resolve) => child.once('message', (message) => resolve(message as never)));
  const { port }: { port: number } = await next();
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: 16 });
  const headers = {
    'content-type': 'application/json',
    ...(encoding === 'gzip' ? { 'content-encoding': 'gzip' } : {}),
  };
  const sendUntil = async (untilMs: number) => {
    let count = 0;
    for (; performance.now() < untilMs; count += 1) {
      const response = await pool.request({ method: 'POST', path: '/api/v2/spans', headers, body });
      await response.body.dump();
    }
    return count;
  };
  return {
    kind,
    async run(forMs) {
      const untilMs = performance.now() + forMs;
      const counts = await Promise.all(Array.from({ length: 16 }, () => sendUntil(untilMs)));
      return counts.reduce((sum, count) => sum + count, 0);
    },
    async usage() {
      child.send('usage');
      return await next();
    },
    async close() {
      child.disconnect();
      await pool.close();
    },
  };
}

/** Half a second of each in turn, so that what else the machine does falls on all of them alike. */
async function compare(): Promise<object[]> {
  const candidates = await Promise.all(kinds.map(startCandidate));
  for (const candidate of candidates) await candidate.run(1_000);
  const sums = new Map(candidates.map((candidate) => [candidate, { requests: 0, ms: 0, cpuUs: 0, rss: 0 }]));
  for (let round = 0; round < Number(seconds) * 2; round += 1) {
    for (const [candidate, sum] of sums) {
      const before = await candidate.usage();
      const startMs = performance.now();
      sum.requests += await candidate.run(500);
      sum.ms += performance.now() - startMs;
      const after = await candidate.usage();
      sum.cpuUs += after.cpu.user + after.cpu.system - before.cpu.user - before.cpu.system;
      sum.rss = after.rss;
    }
  }
  await Promise.all(candidates.map((candidate) => candidate.close()));
  return [...sums].map(([{ kind }, sum]) => ({
    kind,
    requestsPerSecond: Math.round((sum.requests / sum.ms) * 1000),
    cpuUsPerRequest: Math.round(sum.cpuUs / sum.requests),
    residentMiB: Math.round(sum.rss / 1024 / 1024),
  }));
}

if (role === 'serve') await serve(seconds);
else {
  const results = await compare();
  const sizes = { encoding, bodyBytes: body.length, inflatedBytes: plain.length };
  console.log(JSON.stringify({ node: process.version, seconds: Number(seconds), ...sizes, results }, null, 2));
}
