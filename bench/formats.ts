/**
 * What traces cost in every format they arrive in, at Trawl and at the peers that are given, in one run: `npm run build && npx tsx
 * bench/formats.ts [--seconds 4] [--rounds 5] [--warm-up 3] [--connections 4] [--format NAME]… [--zipkin JAR] [--jaeger PROGRAM] [--collector PROGRAM]
 * [--no-trawl]`. One generator posts the same bodies of 100 spans to each in turn, in short rounds, so that what the machine does meanwhile
 * hits all alike; after each it waits until the target has done what it put off, and counts that too. Prints one JSON object: per target and
 * format the spans acknowledged a second (median and best of the rounds), µs of CPU a span of the target's processes, and the generator's.
 *
 * The peers: `--zipkin` is the executable jar of Maven's io.zipkin:zipkin-server 3.6.1, classifier exec (`mvn dependency:copy`). `--jaeger` is
 * Jaeger 2.13: the Go module github.com/jaegertracing/jaeger v1.76.0 has the same code; make a module with its go.mod and go.sum, `go get` it,
 * and `go build github.com/jaegertracing/jaeger/cmd/jaeger`. `--collector` is an OpenTelemetry collector with the receivers zipkin and otlp, the
 * exporter otlphttp, the extension file_storage and the providers file and env: `go install go.opentelemetry.io/collector/cmd/builder`, then build one
 * with these modules (`--skip-get-modules --skip-compilation`, then `go get . && go build .` needs least).
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type TraceFormat, traceFormats } from './lib/format-bodies.ts';
import type { LoadOrder, LoadOutcome } from './lib/format-load.ts';
import { startCollector, startJaeger, startTrawl, startZipkin, type Target } from './lib/peers.ts';
import { cpuUs, machine, memoryMiB, quantile } from './lib/processes.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '5' },
    /** Seconds of load before the first round, for each format: programs that compile as they run need them. */
    'warm-up': { type: 'string', default: '3' },
    connections: { type: 'string', default: '4' },
    format: { type: 'string', multiple: true },
    zipkin: { type: 'string' },
    jaeger: { type: 'string' },
    collector: { type: 'string' },
    'no-trawl': { type: 'boolean', default: false },
  },
});

const formats = traceFormats.filter((format) => values.format?.includes(format) ?? true);

/** A target is at rest once it takes less than this of one core; nobody waits longer than the limit for it. */
const restingShare = 0.08;
const restSampleMs = 400;
const restLimitMs = 8000;

interface Round {
  readonly spansPerSecond: number;
  readonly cpuUsPerSpan: Readonly<Record<string, number>>;
  readonly generatorCpuUsPerSpan: number;
  readonly ackMs: readonly number[];
  readonly acknowledged: number;
  readonly refused: number;
  /** What the first answer that was no success said. */
  readonly refusal: string | undefined;
}

/** One process makes all load: the same bodies, compiled once. */
function startGenerator(): { load(order: LoadOrder): Promise<LoadOutcome>; stop(): void } {
  const child: ChildProcess = fork(fileURLToPath(new URL('lib/format-load.ts', import.meta.url)), {
    execArgv: ['--import', 'tsx'],
  });
  return {
    async load(order) {
      child.send(order);
      const [answer] = await once(child, 'message');
      if (answer.error !== undefined) throw new Error(answer.error);
      return answer.outcome;
    },
    stop: () => child.disconnect(),
  };
}

const cpuOf = (target: Target): Record<string, number> =>
  Object.fromEntries(Object.entries(target.pids).map(([role, pid]) => [role, cpuUs(pid)]));
const sum = (numbers: Readonly<Record<string, number>>): number => Object.values(numbers).reduce((a, b) => a + b, 0);

/** Until it has done what it put off: what is not yet written, compacted or collected is part of the price. */
async function rest(target: Target): Promise<void> {
  await target.settle();
  const until = performance.now() + restLimitMs;
  let before = sum(cpuOf(target));
  while (performance.now() < until) {
    await sleep(restSampleMs);
    const after = sum(cpuOf(target));
    if ((after - before) / (restSampleMs * 1000) < restingShare) return;
    before = after;
  }
}

const generator = startGenerator();

function orderFor(target: Target, format: TraceFormat, limits: Pick<LoadOrder, 'seconds' | 'maxBodies'>) {
  const route = target.routes[format];
  return route === undefined ? undefined : { format, ...route, connections: Number(values.connections), ...limits };
}

/** Why a target is left out for a format, if it is. */
async function refusalOf(target: Target, format: TraceFormat): Promise<string | undefined> {
  const order = orderFor(target, format, { seconds: 10, maxBodies: 1 });
  if (order === undefined) return 'not spoken';
  try {
    const { spansAcknowledged, refusal, statuses } = await generator.load({ ...order, connections: 1 });
    if (spansAcknowledged > 0) return undefined;
    return `refused: ${JSON.stringify(statuses)} ${refusal ?? ''}`;
  } catch (error) {
    return `not spoken: ${error}`;
  }
}

async function measure(target: Target, format: TraceFormat, seconds: number): Promise<Round | undefined> {
  const order = orderFor(target, format, { seconds, maxBodies: Number.MAX_SAFE_INTEGER });
  if (order === undefined) return undefined;
  const before = cpuOf(target);
  const { spansAcknowledged, spansSent, generatorCpuUs, ...outcome } = await generator.load(order);
  await rest(target);
  const perSpan = (us: number) => us / Math.max(1, spansAcknowledged);
  return {
    spansPerSecond: spansAcknowledged / outcome.seconds,
    cpuUsPerSpan: Object.fromEntries(
      Object.entries(cpuOf(target)).map(([role, us]) => [role, perSpan(us - (before[role] ?? 0))]),
    ),
    generatorCpuUsPerSpan: perSpan(generatorCpuUs),
    ackMs: outcome.ackMs,
    acknowledged: spansAcknowledged,
    refused: spansSent - spansAcknowledged,
    refusal: outcome.refusal,
  };
}

const median = (numbers: readonly number[]): number => quantile(numbers, 0.5);

function summary(rounds: readonly Round[]): unknown {
  const rates = rounds.map(({ spansPerSecond }) => Math.round(spansPerSecond));
  const roles = Object.keys(rounds[0]?.cpuUsPerSpan ?? {});
  const role = (name: string) => median(rounds.map(({ cpuUsPerSpan }) => cpuUsPerSpan[name] ?? Number.NaN));
  const both = rounds.map(({ cpuUsPerSpan }) => sum(cpuUsPerSpan));
  const ackMs = rounds.flatMap((round) => round.ackMs);
  return {
    spansPerSecond: { median: median(rates), best: Math.max(...rates), rounds: rates },
    cpuUsPerSpan: {
      ...(roles.length > 1 ? Object.fromEntries(roles.map((name) => [name, role(name)])) : {}),
      all: median(both),
      least: Number(Math.min(...both).toFixed(2)),
    },
    generatorCpuUsPerSpan: median(rounds.map(({ generatorCpuUsPerSpan }) => generatorCpuUsPerSpan)),
    ackMs: { p50: quantile(ackMs, 0.5), p95: quantile(ackMs, 0.95), p99: quantile(ackMs, 0.99) },
    acknowledged: rounds.reduce((total, { acknowledged }) => total + acknowledged, 0),
    refused: rounds.reduce((total, { refused }) => total + refused, 0),
    firstRefusal: rounds.find(({ refusal }) => refusal !== undefined)?.refusal,
  };
}

/** Into `targets` one by one, so that those which did start are stopped when one does not. */
async function startTargets(targets: Target[]): Promise<void> {
  const { zipkin, jaeger, collector } = values;
  if (!values['no-trawl']) targets.push(await startTrawl());
  if (zipkin !== undefined) targets.push(await startZipkin(zipkin));
  if (jaeger !== undefined) targets.push(await startJaeger(jaeger, 'badger'), await startJaeger(jaeger, 'memory'));
  if (collector !== undefined) targets.push(await startCollector(collector));
}

async function run(targets: readonly Target[]): Promise<unknown> {
  const skipped: Record<string, string> = {};
  const pairs: { readonly key: string; readonly target: Target; readonly format: TraceFormat; rounds: Round[] }[] = [];
  for (const format of formats) {
    for (const target of targets) {
      const key = `${format} ${target.name}`;
      const refusal = await refusalOf(target, format);
      if (refusal !== undefined) skipped[key] = refusal;
      else {
        await measure(target, format, Number(values['warm-up']));
        pairs.push({ key, target, format, rounds: [] });
      }
    }
  }
  const total = Number(values.rounds);
  for (let round = 0; round < total; round++) {
    // The other way round each time, so that nobody always follows the same neighbour.
    for (const pair of round % 2 === 0 ? pairs : pairs.toReversed()) {
      const measured = await measure(pair.target, pair.format, Number(values.seconds));
      if (measured !== undefined) pair.rounds.push(measured);
    }
    process.stderr.write(`round ${round + 1} of ${total}, load average ${loadavg()[0]?.toFixed(1)}\n`);
  }
  return {
    targets: Object.fromEntries(
      targets.map(({ name, keeps, acknowledges, pids }) => [
        name,
        { keeps, acknowledges, rssMiB: Object.values(pids).reduce((total, pid) => total + memoryMiB(pid).rss, 0) },
      ]),
    ),
    formats: Object.fromEntries(
      formats.map((format) => [
        format,
        Object.fromEntries(
          pairs.filter((pair) => pair.format === format).map(({ target, rounds }) => [target.name, summary(rounds)]),
        ),
      ]),
    ),
    skipped,
  };
}

const loadBefore = loadavg().map((load) => Number(load.toFixed(1)));
const targets: Target[] = [];
try {
  await startTargets(targets);
  const { seconds, rounds, connections } = values;
  const result = await run(targets);
  console.log(
    JSON.stringify(
      {
        machine: machine(),
        loadAverage: { before: loadBefore, after: loadavg() },
        seconds,
        rounds,
        connections,
        result,
      },
      null,
      1,
    ),
  );
} finally {
  generator.stop();
  for (const target of targets) await target.stop();
}
process.exit(0);
