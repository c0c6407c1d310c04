/**
 * A live Prometheus scrapes itself and a Trawl agent and writes what it scrapes to that agent by remote write: `npx tsx
 * scripts/compare-remote-write.ts --prometheus /usr/bin/prometheus --seconds 30`. In between the agent is killed once. Both are then asked for
 * every sample of the time: what Prometheus has and Trawl has not, or has differently, is told; the last line is JSON, and the exit status 1
 * when there was anything.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createStoreClient } from '../src/store/http-client.ts';
import { readMetadata } from '../src/store/readers/metadata.ts';
import { isStale, readSamples } from '../src/store/readers/samples.ts';
import { startAgent, type TestAgent } from '../test/fixtures/agent.ts';
import { freePort } from '../test/fixtures/free-port.ts';

const { values } = parseArgs({
  options: { prometheus: { type: 'string' }, seconds: { type: 'string', default: '30' } },
});

interface Matrix {
  readonly status: string;
  readonly data: {
    readonly result: readonly {
      readonly metric: Readonly<Record<string, string>>;
      readonly values: readonly (readonly [number, string])[];
    }[];
  };
}

/** Every sample by its series and time, as a number or NaN. */
type Samples = ReadonlyMap<string, number>;

const keyOf = (labels: readonly (readonly [string, string])[], timestampMs: number) =>
  JSON.stringify([[...labels].sort(([a], [b]) => (a < b ? -1 : 1)), timestampMs]);

const numberOf = (text: string): number =>
  text === '+Inf' ? Number.POSITIVE_INFINITY : text === '-Inf' ? Number.NEGATIVE_INFINITY : Number(text);

async function startPrometheus(program: string, agent: TestAgent) {
  const home = await mkdtemp(join(tmpdir(), 'trawl-prometheus-'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  await writeFile(
    join(home, 'prometheus.yml'),
    `global: { scrape_interval: 1s }
scrape_configs:
  - job_name: prometheus
    static_configs: [{ targets: ['127.0.0.1:${port}'] }]
  - job_name: trawl
    static_configs: [{ targets: ['127.0.0.1:${agent.port}'] }]
remote_write:
  - url: ${agent.url}/api/v1/write
    queue_config: { batch_send_deadline: 1s, max_samples_per_send: 500 }
    metadata_config: { send_interval: 2s }
`,
  );
  const child = spawn(
    program,
    [
      `--config.file=${join(home, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(home, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=error',
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  return {
    async samples(atMs: number, seconds: number): Promise<Samples> {
      const query = encodeURIComponent(`{__name__=~".+"}[${seconds}s]`);
      const answer = await fetch(`${url}/api/v1/query?query=${query}&time=${atMs / 1000}`);
      const { data }: Matrix = JSON.parse(await answer.text());
      const found = new Map<string, number>();
      for (const { metric, values: points } of data.result) {
        for (const [at, text] of points)
          found.set(keyOf(Object.entries(metric), Math.round(at * 1000)), numberOf(text));
      }
      return found;
    },
    async stop() {
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
      await rm(home, { recursive: true, force: true });
    },
  };
}

async function trawlSamples(agent: TestAgent, atMs: number, seconds: number) {
  await agent.flush();
  const client = createStoreClient({ socketPath: join(agent.dataDirectory, 'store', 'store.sock') });
  const signal = AbortSignal.timeout(60_000);
  try {
    const series = await readSamples(
      client,
      {
        matchers: [{ name: '__name__', op: '=~', value: '.+' }],
        // Prometheus 2's windows are closed on both sides.
        afterMs: atMs - seconds * 1000 - 1,
        untilMs: atMs,
      },
      { signal },
    );
    const found = new Map<string, number>();
    for (const points of series) {
      points.values.forEach((value, i) => {
        if (!isStale(points, i)) found.set(keyOf(points.labels, points.timestampsMs[i] ?? 0), value);
      });
    }
    return { samples: found, metadata: await readMetadata(client, { signal }) };
  } finally {
    await client.close();
  }
}

/** In the order of the keys: sums of doubles depend on it. */
function sumOf(samples: Samples): number {
  let sum = 0;
  for (const key of [...samples.keys()].sort()) {
    const value = samples.get(key) ?? 0;
    if (Number.isFinite(value)) sum += value;
  }
  return sum;
}

async function compare(program: string): Promise<boolean> {
  const seconds = Number(values.seconds);
  const agent = await startAgent({ files: { 'in.conf': '[[inputs.remote_write]]\n' } });
  await agent.ready();
  const prometheus = await startPrometheus(program, agent);
  try {
    await sleep((seconds * 1000) / 2);
    await agent.kill('SIGKILL');
    await agent.restart();
    await agent.ready();
    await sleep((seconds * 1000) / 2);
    const atMs = Date.now();
    // What was refused while the agent was dead is sent again with some delay.
    await sleep(8000);
    const theirs = await prometheus.samples(atMs, seconds + 5);
    const ours = await trawlSamples(agent, atMs, seconds + 5);
    const missing = [...theirs.keys()].filter((key) => !ours.samples.has(key));
    const added = [...ours.samples.keys()].filter((key) => !theirs.has(key));
    const different = [...theirs].filter(([key, value]) => {
      const own = ours.samples.get(key);
      return own !== undefined && !Object.is(own, value);
    });
    for (const key of [...missing, ...added, ...different.map(([one]) => one)].slice(0, 10)) {
      console.error(`${key}: Prometheus ${theirs.get(key)}, Trawl ${ours.samples.get(key)}`);
    }
    const report = {
      samples: theirs.size,
      missing: missing.length,
      added: added.length,
      different: different.length,
      sums: { prometheus: sumOf(theirs), trawl: sumOf(ours.samples) },
      families: ours.metadata.length,
    };
    console.log(JSON.stringify(report));
    return theirs.size > 0 && missing.length + added.length + different.length === 0 && report.families > 0;
  } finally {
    await prometheus.stop();
    await agent.remove();
  }
}

if (values.prometheus === undefined) {
  console.log(JSON.stringify({ skipped: '--prometheus is not set' }));
} else if (!(await compare(values.prometheus))) process.exitCode = 1;
