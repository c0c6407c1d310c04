/**
 * The tests that take too long for every change: `npm run test:long -- --minutes 150 --seed 7 --out DIRECTORY`; `docs/operations/testing.md`
 * says what each step does. `--minutes` scales all of them; 150 is the whole. What they found is in the directory; the last lines are one
 * of JSON and `N passed, N failed`.
 */
import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { finished } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runSoak, type SoakOptions, type SoakReport } from '../test/fault/soak.ts';
import { prometheusProgram } from '../test/fixtures/prometheus-program.ts';

const wholeMinutes = 150;
const root = fileURLToPath(new URL('..', import.meta.url));

interface Plan {
  readonly seed: number;
  readonly out: string;
  /** 1 for the whole. */
  readonly scale: number;
}

interface Result {
  readonly name: string;
  readonly isPassed: boolean;
  readonly seconds: number;
  /** What a reader wants to know of it. */
  readonly figures: unknown;
}

type Step = (plan: Plan) => Promise<Omit<Result, 'name' | 'seconds'>>;

/** Runs a program with its output in a file; resolves to its exit status. */
async function run(
  args: readonly string[],
  logFile: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<number> {
  const log = createWriteStream(logFile);
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stdout.pipe(log, { end: false });
  child.stderr.pipe(log, { end: false });
  const code = await new Promise<number>((settle) => {
    child.once('error', () => settle(127));
    child.once('close', (status) => settle(status ?? 1));
  });
  log.end();
  await finished(log);
  return code;
}

const vitest = (file: string): string[] => ['node_modules/vitest/vitest.mjs', 'run', file];

/** A step that needs one counts as passed without, and says so. */
const withoutPrometheus = {
  isPassed: true,
  figures: { skipped: 'there is no program prometheus in the path, and PROMETHEUS names none' },
};

const steps: Readonly<Record<string, Step>> = {
  async 'crash loop'({ seed, out, scale }) {
    const kills = Math.max(5, Math.round(500 * scale));
    const code = await run(vitest('test/fault/crash-loop.test.ts'), join(out, 'crash-loop.log'), {
      TRAWL_CRASH_KILLS: String(kills),
      TRAWL_CRASH_SEED: String(seed),
    });
    return { isPassed: code === 0, figures: { kills } };
  },
  async 'insert kills'({ seed, out, scale }) {
    const kills = scale >= 1 ? 'all' : String(Math.max(4, Math.round(300 * scale)));
    const code = await run(vitest('test/fault/insert-kill.test.ts'), join(out, 'insert-kill.log'), {
      TRAWL_INSERT_KILLS: kills,
      TRAWL_INSERT_KILL_SEED: String(seed),
    });
    return { isPassed: code === 0, figures: { kills } };
  },
  async 'decoder mutants'({ seed, out, scale }) {
    const mutants = Math.max(1000, Math.round(100_000 * scale));
    const logFile = join(out, 'fuzz.log');
    const code = await run(
      [
        '--import',
        'tsx',
        'scripts/fuzz-decoders.ts',
        '--mutants',
        String(mutants),
        '--seed',
        String(seed),
        '--out',
        join(out, 'fuzz'),
      ],
      logFile,
    );
    return { isPassed: code === 0, figures: { mutants, report: lastJsonLine(await readFile(logFile, 'utf8')) } };
  },
  async 'the same verdict as a live Zipkin'({ seed, out, scale }) {
    const jar = process.env['ZIPKIN_JAR'];
    if (jar === undefined || jar === '') return { isPassed: true, figures: { skipped: 'ZIPKIN_JAR is not set' } };
    const seconds = Math.max(20, Math.round(600 * scale));
    const logFile = join(out, 'verdicts.log');
    const script = ['--import', 'tsx', 'scripts/compare-verdicts.ts'];
    const options = [
      '--jar',
      jar,
      '--seconds',
      String(seconds),
      '--seed',
      String(seed),
      '--out',
      join(out, 'verdicts'),
    ];
    const code = await run([...script, ...options], logFile);
    return { isPassed: code === 0, figures: { seconds, report: lastJsonLine(await readFile(logFile, 'utf8')) } };
  },
  async 'the same samples as a live Prometheus'({ out, scale }) {
    const program = prometheusProgram();
    if (program === undefined) return withoutPrometheus;
    const seconds = Math.max(20, Math.round(300 * scale));
    const logFile = join(out, 'remote-write.log');
    const script = ['--import', 'tsx', 'scripts/compare-remote-write.ts'];
    const code = await run([...script, '--prometheus', program, '--seconds', String(seconds)], logFile);
    return { isPassed: code === 0, figures: { seconds, report: lastJsonLine(await readFile(logFile, 'utf8')) } };
  },
  async 'random queries beside a live Prometheus'({ seed, out, scale }) {
    const program = prometheusProgram();
    if (program === undefined) return withoutPrometheus;
    const queries = Math.max(2000, Math.round(50_000 * scale));
    const logFile = join(out, 'promql-differential.log');
    const code = await run(vitest('src/query/promql/differential.test.ts'), logFile, {
      PROMETHEUS: program,
      DIFFERENTIAL_QUERIES: String(queries),
      DIFFERENTIAL_SEED: String(seed),
      DIFFERENTIAL_TOLD: '20',
    });
    const asked = /\d+ of \d+ random queries asked.*/.exec(await readFile(logFile, 'utf8'))?.[0];
    return { isPassed: code === 0 && asked !== undefined, figures: { queries, program, asked } };
  },
  async "viewers' calls beside a live Prometheus"({ out }) {
    const program = prometheusProgram();
    if (program === undefined) return withoutPrometheus;
    const files = vitest('test/e2e/grafana-prometheus-compared');
    const code = await run(files, join(out, 'promql-viewers.log'), { PROMETHEUS: program });
    return { isPassed: code === 0, figures: { program } };
  },
  async 'mutated queries'({ seed, out, scale }) {
    const mutants = Math.max(1000, Math.round(100_000 * scale));
    const code = await run(vitest('src/query/promql/mutations.test.ts'), join(out, 'promql-mutations.log'), {
      MUTATIONS: String(mutants),
      MUTATIONS_SEED: String(seed),
    });
    return { isPassed: code === 0, figures: { mutants } };
  },
  async 'store against a model'({ seed, out, scale }) {
    const seconds = Math.max(20, Math.round(1200 * scale));
    const logFile = join(out, 'store-property.log');
    const code = await run(vitest('test/fault/store-property.test.ts'), logFile, {
      TRAWL_STORE_SECONDS: String(seconds),
      TRAWL_STORE_SEED: String(seed),
    });
    return { isPassed: code === 0, figures: { seconds, report: lastJsonLine(await readFile(logFile, 'utf8')) } };
  },
  async 'pods of a broken API server'({ seed, out, scale }) {
    const seconds = Math.max(20, Math.round(600 * scale));
    const code = await run(vitest('test/fault/kubernetes-faults.test.ts'), join(out, 'kubernetes.log'), {
      TRAWL_KUBERNETES_SECONDS: String(seconds),
      TRAWL_KUBERNETES_SEED: String(seed),
    });
    return { isPassed: code === 0, figures: { seconds } };
  },
  async 'stops at full load'({ seed, out, scale }) {
    const stops = Math.max(4, Math.round(50 * scale));
    const logFile = join(out, 'stop-loop.log');
    const code = await run(vitest('test/fault/stop-loop.test.ts'), logFile, {
      TRAWL_STOPS: String(stops),
      TRAWL_STOPS_SEED: String(seed),
    });
    return { isPassed: code === 0, figures: { stops, report: lastJsonLine(await readFile(logFile, 'utf8')) } };
  },
  async 'simulated days'({ out, scale }) {
    const hours = Math.max(24, Math.round(72 * scale));
    const logFile = join(out, 'simulated-day.log');
    const code = await run(vitest('test/fault/simulated-day.test.ts'), logFile, {
      TRAWL_DAY_HOURS: String(hours),
      TRAWL_DAY_DENSE: scale >= 1 ? '1' : '0',
    });
    return { isPassed: code === 0, figures: { hours, report: lastJsonLine(await readFile(logFile, 'utf8')) } };
  },
  soak: (plan) => soak(plan, 'soak', {}),
  // A store that is killed every half minute never lives long enough for its memory to be judged.
  'soak of one store': (plan) => soak(plan, 'soak-of-one-store', { faults: ['store stopped', 'backend away'] }),
};

/** Below twenty minutes a slope is noise: then it is told and not judged. */
const judgedFromSeconds = 1200;
/** By the last half: what the agent may grow in ten minutes, and what its store may, whose caches and merges follow the data. */
const maxAgentMiBPerTenMinutes = 1;
const maxStoreMiBPerTenMinutes = 20;
const maxMoreFiles = 20;

async function soak(
  { seed, out, scale }: Plan,
  name: string,
  options: Pick<SoakOptions, 'faults'>,
): Promise<Omit<Result, 'name' | 'seconds'>> {
  const seconds = Math.max(20, Math.round(1800 * scale));
  const report = await runSoak({ seconds, seed, ...options });
  await writeFile(join(out, `${name}.json`), `${JSON.stringify(report, null, 2)}\n`);
  const wrong = judgeSoak(report, options.faults !== undefined);
  return { isPassed: wrong.length === 0, figures: { wrong, ...report } };
}

/** What was not as it must be, in words; `isOneStore` when the store lived through all of it. */
function judgeSoak(report: SoakReport, isOneStore: boolean): readonly string[] {
  const wrong: string[] = [];
  const expectThat = (what: string, holds: boolean) => void (holds || wrong.push(what));
  for (const name of ['lost', 'storedTwice', 'notForwarded'] as const) {
    expectThat(`${name}: ${report[name]} spans`, report[name] === 0);
  }
  const { agentFiles, storeFiles, agentMiB, storeOwnMiB } = report;
  expectThat('the agent holds more and more files', agentFiles.last - agentFiles.first < maxMoreFiles);
  if (report.seconds < judgedFromSeconds) return wrong;
  const slope = (whose: string, { perTenMinutes }: SoakReport['agentMiB']) =>
    `${whose} grew by ${perTenMinutes} MiB in ten minutes`;
  expectThat(slope('the agent', agentMiB), agentMiB.perTenMinutes < maxAgentMiBPerTenMinutes);
  if (!isOneStore) return wrong;
  expectThat(slope('the store', storeOwnMiB), storeOwnMiB.perTenMinutes < maxStoreMiBPerTenMinutes);
  // A part that is read is files that are open: they follow the merges.
  expectThat('the store holds more and more files', storeFiles.last - storeFiles.first < 10 * maxMoreFiles);
  return wrong;
}

function lastJsonLine(text: string): unknown {
  const line = text.split('\n').findLast((each) => each.startsWith('{'));
  return line === undefined ? null : JSON.parse(line);
}

const skippedOf = (figures: unknown): unknown =>
  typeof figures === 'object' && figures !== null && 'skipped' in figures ? figures.skipped : undefined;

async function runStep(name: string, step: Step, plan: Plan): Promise<Result> {
  const startedAt = performance.now();
  process.stderr.write(`${name} …\n`);
  const outcome = await step(plan).catch((error) => ({ isPassed: false, figures: { error: String(error) } }));
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  const skipped = skippedOf(outcome.figures);
  const verdict = outcome.isPassed ? 'passed' : 'FAILED';
  process.stderr.write(
    skipped === undefined ? `${name}: ${verdict} after ${seconds} s\n` : `${name}: left out, ${skipped}\n`,
  );
  return { name, ...outcome, seconds };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: String(wholeMinutes) },
      seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
      out: { type: 'string' },
      only: { type: 'string', multiple: true },
    },
  });
  const minutes = Number(values.minutes);
  const seed = Number(values.seed);
  if (!(minutes > 0) || !Number.isSafeInteger(seed)) throw new Error('--minutes and --seed must be numbers');
  const unknown = (values.only ?? []).filter((name) => steps[name] === undefined);
  if (unknown.length > 0) throw new Error(`--only ${unknown.join(', ')}: expected ${Object.keys(steps).join(', ')}`);
  const out = resolve(values.out ?? join(tmpdir(), `trawl-long-${seed}`));
  await mkdir(out, { recursive: true });
  const results: Result[] = [];
  for (const [name, step] of Object.entries(steps)) {
    if (values.only !== undefined && !values.only.includes(name)) continue;
    results.push(await runStep(name, step, { seed, out, scale: minutes / wholeMinutes }));
    await writeFile(join(out, 'report.json'), `${JSON.stringify({ seed, minutes, results }, null, 2)}\n`);
  }
  const failed = results.filter(({ isPassed }) => !isPassed).length;
  process.stdout.write(`${JSON.stringify({ seed, minutes, out, results })}\n`);
  process.stdout.write(`${results.length - failed} passed, ${failed} failed\n`);
  process.exitCode = failed === 0 ? 0 : 1;
}

await main();
