/** Sends remote write from a process of its own, started by `bench/remote-write.ts`: bodies are made first and sent then; prints JSON. */
import { Agent, request } from 'node:http';
import { parseArgs } from 'node:util';
import { quantile } from './processes.ts';
import { createWriteData } from './remote-write-data.ts';

const { values } = parseArgs({
  options: {
    url: { type: 'string' },
    series: { type: 'string', default: '10000' },
    steps: { type: 'string', default: '360' },
    batch: { type: 'string', default: '2000' },
    perSeries: { type: 'string', default: '1' },
    start: { type: 'string' },
    inFlight: { type: 'string', default: '4' },
    name: { type: 'string', default: '' },
  },
});
const url = values.url ?? '';
const batch = Number(values.batch);
const steps = Number(values.steps);
const perSeries = Number(values.perSeries);
const inFlight = Number(values.inFlight);
const seriesCount = Number(values.series);
const data = createWriteData({ seriesCount, startMs: Number(values.start), lanes: inFlight, name: values.name });
const agent = new Agent({ keepAlive: true, maxSockets: inFlight });
const headers = {
  'Content-Type': 'application/x-protobuf',
  'Content-Encoding': 'snappy',
  'X-Prometheus-Remote-Write-Version': '0.1.0',
};
const statuses: Record<string, number> = {};
const tookMs: number[] = [];
let wireBytes = 0;
let firstProblem = '';

function post(body: Buffer): Promise<void> {
  const before = performance.now();
  return new Promise((resolve, reject) => {
    const asked = request(
      url,
      { agent, method: 'POST', headers: { ...headers, 'Content-Length': body.length } },
      (response) => {
        const status = response.statusCode ?? 0;
        response.on('data', (chunk: Buffer) => {
          if (status >= 300) firstProblem ||= chunk.toString().slice(0, 300);
        });
        response.on('end', () => {
          statuses[status] = (statuses[status] ?? 0) + 1;
          tookMs.push(performance.now() - before);
          resolve();
        });
      },
    );
    asked.on('error', reject);
    asked.end(body);
  });
}

/** Each lane sends its bodies one after another. */
async function send(lanes: readonly (readonly Buffer[])[]): Promise<number> {
  const before = performance.now();
  await Promise.all(
    lanes.map(async (bodies) => {
      for (const body of bodies) await post(body);
    }),
  );
  return performance.now() - before;
}

/** So many samples' bodies are made before they are sent. */
const chunkSamples = 2_000_000;
const perLane = Math.floor((seriesCount * steps) / perSeries / inFlight);
const seriesInBody = Math.max(1, Math.floor(batch / perSeries));
let tookAllMs = 0;
let samples = 0;
const emptyLanes = () => Array.from({ length: inFlight }, (): Buffer[] => []);
let waiting = emptyLanes();
let inChunk = 0;
const flush = async () => {
  tookAllMs += await send(waiting);
  waiting = emptyLanes();
  inChunk = 0;
};
for (let done = 0; done < perLane; done += seriesInBody) {
  const count = Math.min(seriesInBody, perLane - done);
  for (let lane = 0; lane < inFlight; lane++) {
    const body = data.body(lane, { count, samples: perSeries });
    waiting[lane]?.push(body);
    wireBytes += body.length;
    samples += count * perSeries;
    inChunk += count * perSeries;
  }
  if (inChunk >= chunkSamples) await flush();
}
await flush();
agent.destroy();
console.log(
  JSON.stringify({
    samples,
    seconds: Number((tookAllMs / 1000).toFixed(2)),
    samplesPerSecond: Math.round(samples / (tookAllMs / 1000)),
    statuses,
    ackMs: { p50: quantile(tookMs, 0.5), p95: quantile(tookMs, 0.95), max: quantile(tookMs, 1) },
    wireBytesPerSample: Number((wireBytes / samples).toFixed(1)),
    ...(firstProblem === '' ? {} : { firstProblem }),
  }),
);
