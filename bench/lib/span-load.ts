/** A process of its own that posts span bodies over raw sockets, one request at a time on each, and prints what came of it as JSON. */
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { parseArgs } from 'node:util';
import { bodySpans, createSpanBody } from './envoy-spans.ts';

const { values } = parseArgs({
  options: {
    port: { type: 'string' },
    path: { type: 'string', default: '/api/v2/spans' },
    seconds: { type: 'string', default: '10' },
    connections: { type: 'string', default: '4' },
    /** Spans a second over all connections; 0 for as fast as they are answered. */
    rate: { type: 'string', default: '0' },
    /** Stops after so many spans; 0 for no limit. */
    spans: { type: 'string', default: '0' },
    /** Timestamps lie spread over so many seconds before now. */
    'spread-seconds': { type: 'string', default: '0' },
    /** Of which share of the bodies a trace id is printed. */
    'id-share': { type: 'string', default: '0.02' },
    /** Decides names and ids. Another for each run: with the same one, runs send the same traces over again. */
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
  },
});

const port = Number(values.port);
const connections = Number(values.connections);
const endAt = performance.now() + Number(values.seconds) * 1000;
const bodiesPerSecond = Number(values.rate) / bodySpans;
const maxBodies = Number(values.spans) > 0 ? Number(values.spans) / bodySpans : Number.POSITIVE_INFINITY;
const spreadUs = Number(values['spread-seconds']) * 1e6;
const idShare = Number(values['id-share']);
const statuses = new Map<number, number>();
const latencies: number[] = [];
const someIds: string[] = [];
let sent = 0;

async function drive(seed: number): Promise<void> {
  const bodies = Array.from({ length: 16 }, (_, i) => createSpanBody(Number(values.seed) + seed * 100 + i));
  const socket = connect(port, '127.0.0.1').setNoDelay(true);
  await once(socket, 'connect');
  const startedAt = performance.now();
  let mine = 0;
  for (;;) {
    if (performance.now() >= endAt || sent >= maxBodies) break;
    if (bodiesPerSecond > 0) {
      const dueAt = startedAt + (mine * connections * 1000) / bodiesPerSecond;
      const waitMs = dueAt - performance.now();
      if (waitMs > 1) await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
    const body = bodies[mine % bodies.length];
    if (body === undefined) break;
    body.refresh(Date.now() * 1000 - Math.floor(Math.random() * spreadUs));
    mine++;
    sent++;
    const head = `POST ${values.path} HTTP/1.1\r\nhost: zipkin\r\ncontent-type: application/json\r\ncontent-length: ${body.bytes.length}\r\n\r\n`;
    const before = performance.now();
    socket.cork();
    socket.write(head);
    socket.write(body.bytes);
    socket.uncork();
    let answer = '';
    while (!answer.includes('\r\n\r\n')) {
      const [chunk] = await once(socket, 'data');
      answer += chunk.toString('latin1');
    }
    latencies.push(performance.now() - before);
    const status = Number(answer.slice(9, 12));
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    if (status === 202 && Math.random() < idShare) someIds.push(body.traceId(4 * Math.floor(Math.random() * 25)));
  }
  socket.destroy();
}

const startedAt = performance.now();
await Promise.all(Array.from({ length: connections }, (_, i) => drive(i + 1)));
const seconds = (performance.now() - startedAt) / 1000;
const accepted = (statuses.get(202) ?? 0) * bodySpans;
latencies.sort((a, b) => a - b);
const quantile = (q: number) => Number((latencies[Math.floor(q * (latencies.length - 1))] ?? Number.NaN).toFixed(2));
const usage = process.cpuUsage();
console.log(
  JSON.stringify({
    seed: Number(values.seed),
    seconds: Number(seconds.toFixed(2)),
    spansAcknowledged: accepted,
    spansPerSecond: Math.round(accepted / seconds),
    statuses: Object.fromEntries(statuses),
    ackMs: { p50: quantile(0.5), p95: quantile(0.95), p99: quantile(0.99), max: quantile(1) },
    generatorCpuUsPerSpan: Number(((usage.user + usage.system) / accepted).toFixed(2)),
    someTraceIds: someIds.slice(0, 20_000),
  }),
);
