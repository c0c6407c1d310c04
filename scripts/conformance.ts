/**
 * Runs other projects' cases against Trawl: `npm run conformance`, or `npm run conformance -- NAME…`. The cases are in CONFORMANCE_DIR
 * (default `../shared/conformance`); what is not there is skipped with a message. The last line is `N passed, N failed`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, realpathSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startAgent, type TestAgent } from '../test/fixtures/agent.ts';

interface Suite {
  readonly name: string;
  /** What of the suite is run so far, for whoever reads the counts. */
  readonly covers: string;
  /** Its runner, below the directory of cases; without one, its cases are read by tests. */
  readonly runner?: string;
  /** A file of tests, each of them a case, and the cases that they read. */
  readonly tests?: { readonly file: string; readonly cases: string };
  /** The suite whose runs have all of this one's, so that it is run only when it is asked for. */
  readonly isPartOf?: string;
  /** Suites that are run with it. */
  readonly includes?: readonly string[];
  /** The arguments of each time that it is run against an agent that is started for it. */
  agentRuns?(agent: TestAgent): readonly (readonly string[])[];
  /** The arguments of each time that it starts by itself what it asks. */
  readonly ownRuns?: readonly (readonly string[])[];
  /** Runs whose counts are printed and do not decide: what is newer than what is promised. */
  readonly reportedRuns?: readonly (readonly string[])[];
}

/** Which of `zipkin`, `jaeger`, `jaeger-v3` and `zipkin-in-jaeger` are answered completely: what their clients ask is run. */
const clientSets: readonly string[] = ['zipkin', 'jaeger', 'jaeger-v3', 'zipkin-in-jaeger'];

/**
 * Which calls of a set are run, where not all. Left out is one that was recorded from a fault: Jaeger's memory store hands out the spans that
 * it keeps, so a warning that one answer adds is still there in the next, and this trace had been asked for four times
 * (`src/query/jaeger/conformance.test.ts` holds us to the rest of that answer).
 */
const callsOf: Readonly<Record<string, string>> = { 'jaeger-v3': '^(?!grafana-jaeger-v3\\.traces$)' };

const directory = resolve(
  process.env['CONFORMANCE_DIR'] ?? new URL('../../shared/conformance', import.meta.url).pathname,
);

const trawl = `${process.execPath} ${fileURLToPath(new URL('../dist/main.js', import.meta.url))}`;
const scrapingAgent = `${trawl} agent --config {{CONFD}} --data {{DIR}}/data --listen 127.0.0.1:{{PORT}} --set store.retention=forever`;
const expositionCases: readonly string[] = ['cases.json', 'cases.openmetrics-spec.json'];

const emptyAgent = `${trawl} agent --data {{DIR}}/data --listen 127.0.0.1:{{PORT}} --set store.retention=forever`;

const delayingAgent = `${emptyAgent} --set query.delayed_name_removal=true`;

/** Every check that the runner of PromQL's cases has, against agents that start empty. */
const promqlRunOf = (agent: string, file: string, ...more: readonly string[]): readonly string[] => [
  ...['--cases', join(directory, file), '--start-cmd', agent, '--flush-path', 'POST /api/trawl/flush'],
  ...['--range-check', '--annotations', 'presence', '--messages', 'strict', '--check-sort', ...more],
];
const promqlRun = (file: string, ...more: readonly string[]): readonly string[] =>
  promqlRunOf(emptyAgent, file, ...more);

const suites: readonly Suite[] = [
  {
    name: 'traces',
    covers: 'bodies of Zipkin v1 and v2 that a real Zipkin takes or refuses',
    runner: 'traces/run.mjs',
    agentRuns: (agent) => [
      [agent.url, '--cases', join(directory, 'traces', 'zipkin-accepts.json')],
      ...clientSets.map((set) => [agent.url, '--only', set, '--filter', callsOf[set] ?? '']),
    ],
  },
  {
    name: 'exposition',
    covers: 'pages of metrics: as trawl check metrics reads them, strictly, and as an agent scrapes them',
    runner: 'exposition/run.mjs',
    ownRuns: expositionCases.flatMap((file) => {
      const every = ['--cases', join(directory, 'exposition', file), '--check-metadata', '--check-exemplars'];
      return [
        [...every, '--parser-cmd', `${trawl} check metrics --json-lines`],
        [...every, '--start-cmd', scrapingAgent, '--flush-path', 'POST /api/trawl/flush', '--skip-tag', 'strict-only'],
      ];
    }),
  },
  {
    name: 'promql',
    covers:
      "Prometheus's own cases, its recorded answers, and the queries of Istio's dashboards; parts newer than 3.5 are counted apart",
    runner: 'promql/run.mjs',
    ownRuns: [
      promqlRun('promql/cases.json', '--tier', 'core'),
      promqlRun('promql/recorded.json'),
      promqlRun('mesh/dashboard-cases.json'),
    ],
    reportedRuns: [
      // Of a Prometheus with all of its features on, one of which changes what others answer.
      promqlRunOf(delayingAgent, 'promql/cases.json', '--tier', 'feature', '--list-fail', '0'),
      promqlRun('promql/cases.json', '--tier', 'modern', '--list-fail', '0'),
    ],
    includes: ['graphs'],
  },
  {
    name: 'dashboards',
    covers: "the queries of Istio's dashboards alone, which promql runs too",
    runner: 'promql/run.mjs',
    isPartOf: 'promql',
    ownRuns: [promqlRun('mesh/dashboard-cases.json')],
  },
  {
    name: 'graphs',
    covers: "the graphs that Kiali draws of Prometheus' answers",
    tests: { file: 'src/query/topology/metrics-graph.test.ts', cases: 'mesh/kiali-graph-cases.json' },
  },
];

interface Counts {
  readonly passed: number;
  readonly failed: number;
}

/** Runs a runner and reads its last line. */
function run(file: string, args: readonly string[]): Promise<Counts> {
  return new Promise((done, reject) => {
    const child = spawn(process.execPath, [file, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => {
      process.stdout.write(chunk);
      text += chunk.toString();
    });
    child.once('error', reject);
    child.once('close', (code) => {
      const [, passed, failed] = /(\d+) passed, (\d+) failed(?![\s\S]*\d+ passed, \d+ failed)/.exec(text) ?? [];
      if (passed === undefined || failed === undefined) reject(new Error(`${file} ended with ${code} and no counts`));
      else done({ passed: Number(passed), failed: Number(failed) });
    });
  });
}

const vitest = fileURLToPath(new URL('../node_modules/vitest/vitest.mjs', import.meta.url));

/** Runs a file of tests, and counts them. */
async function runTests(file: string): Promise<Counts> {
  const scratch = await mkdtemp(join(tmpdir(), 'trawl-conformance-'));
  const report = join(scratch, 'report.json');
  try {
    const args = ['run', file, '--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
    const env = { ...process.env, CONFORMANCE_DIR: directory };
    const child = spawn(process.execPath, [vitest, ...args], { stdio: 'inherit', env });
    await once(child, 'close');
    const { numPassedTests, numFailedTests, success } = JSON.parse(await readFile(report, 'utf8'));
    // A file that cannot be read as tests has failed, though none of its tests did.
    return { passed: numPassedTests, failed: success || numFailedTests > 0 ? numFailedTests : 1 };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function runSuite(suite: Suite, runner: string): Promise<readonly Counts[]> {
  if (suite.tests !== undefined) return [await runTests(suite.tests.file)];
  const counts: Counts[] = [];
  for (const args of suite.ownRuns ?? []) counts.push(await run(runner, args));
  for (const args of suite.reportedRuns ?? []) await run(runner, args);
  if (suite.agentRuns === undefined) return counts;
  // One of the cases asks as the page of another origin, which is a stranger to an agent that is not open.
  const agent = await startAgent({ sets: ['store.retention=forever', 'http.query=open'] });
  try {
    await agent.ready();
    for (const args of suite.agentRuns(agent)) counts.push(await run(runner, args));
  } finally {
    await agent.remove();
  }
  return counts;
}

/** The suites of these names and what they include; all of them where none is named. */
function chosen(names: readonly string[]): readonly Suite[] {
  const included = suites.filter(({ name }) => names.includes(name)).flatMap(({ includes = [] }) => includes);
  return suites.filter(({ name, isPartOf }) =>
    names.length === 0 ? isPartOf === undefined : names.includes(name) || included.includes(name),
  );
}

async function main(names: readonly string[]): Promise<number> {
  const unknown = names.filter((name) => !suites.some((suite) => suite.name === name));
  if (unknown.length > 0) {
    console.error(`there is no suite ${unknown.join(', ')}; suites: ${suites.map(({ name }) => name).join(', ')}`);
    return 2;
  }
  let passed = 0;
  let failed = 0;
  for (const suite of chosen(names)) {
    const runner = join(directory, suite.tests?.cases ?? suite.runner ?? '');
    if (!existsSync(runner)) {
      console.log(`${suite.name}: skipped, ${runner} is not there`);
      continue;
    }
    console.log(`${suite.name}: ${suite.covers}`);
    for (const counts of await runSuite(suite, realpathSync(runner))) {
      passed += counts.passed;
      failed += counts.failed;
    }
  }
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
