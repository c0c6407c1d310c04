/** `trawl why pod`: walks the way of a pod's metrics, from its annotation to the store, and names the first step that fails. */
import { z } from 'zod';
import { nearest } from '../config/did-you-mean.ts';
import { type Agent, agentOf, questionOptions } from './agent-question.ts';
import { type Command, programName, UsageError } from './command.ts';
import { type Style, screenOf } from './screen.ts';
import { podNamePattern } from './targets.ts';
import { type AnsweredTarget, askTargets, type TargetsAnswer } from './targets-answer.ts';
import { counted } from './waterfall.ts';

const stepNames = ['discovered', 'annotation', 'reachable', 'parsed', 'kept'] as const;
type StepName = (typeof stepNames)[number];

interface Step {
  readonly name: StepName;
  readonly state: 'ok' | 'fails' | 'waits';
  /** What is so, and where it fails, what to do. */
  readonly lines: readonly string[];
}

const ok = (name: StepName, ...lines: readonly string[]): Step => ({ name, state: 'ok', lines });
const fails = (name: StepName, ...lines: readonly string[]): Step => ({ name, state: 'fails', lines });

const marks: Readonly<Record<Step['state'], readonly [text: string, style: Style]>> = {
  ok: ['ok', 'green'],
  fails: ['fails', 'red'],
  waits: ['waits', 'yellow'],
};

export const whyPod: Command = {
  name: 'why pod',
  summary: "Walks a pod's metrics from its annotation to the store, and names the first step that fails.",
  positionals: ['NAMESPACE/NAME'],
  options: { ...questionOptions },
  example: 'trawl why pod default/productpage-v1-7f4c',
  async run(args, terminal) {
    const [podName = ''] = args.positionals;
    if (!podNamePattern.test(podName))
      throw new UsageError('trawl why pod needs a namespace and a name, as in default/productpage-v1-7f4c');
    const agent = agentOf(args, terminal);
    const screen = screenOf(terminal);
    const steps = await walk(podName, agent);
    for (const { name, state, lines } of steps) {
      const [mark, style] = marks[state];
      const head = `${screen.paint(mark.padEnd(5), style)}  ${name.padEnd(10)}  `;
      lines.forEach((line, i) => {
        terminal.out(`${i === 0 ? head : ' '.repeat(19)}${screen.show(line)}`);
      });
    }
    for (const name of stepNames.slice(steps.length)) terminal.out(screen.paint(`-      ${name}`, 'dim'));
    return steps.every(({ state }) => state === 'ok') ? 0 : 1;
  },
};

/** The steps as far as they go: the last may fail or wait. */
async function walk(podName: string, agent: Agent): Promise<readonly Step[]> {
  const answer = await askTargets(agent, podName);
  const steps: Step[] = [];
  for (const look of [lookForPod, lookAtAnnotations, lookWhetherReachable, lookWhetherParsed]) {
    const step = look(answer, podName);
    if (step.name === 'discovered' && step.state === 'fails' && answer.pods.length === 0) {
      steps.push({ ...step, lines: [...step.lines, ...(await meantPod(podName, agent))] });
      return steps;
    }
    steps.push(step);
    if (step.state !== 'ok') return steps;
  }
  steps.push(await lookIntoStore(podName, agent));
  return steps;
}

/** A pod with a name alike, of those with annotations or targets: an agent lists no others. */
async function meantPod(podName: string, agent: Agent): Promise<readonly string[]> {
  const { pods, targets } = await askTargets(agent);
  const known = [...pods, ...targets.flatMap(({ pod }) => pod ?? [])].map(
    ({ namespace, name }) => `${namespace}/${name}`,
  );
  const name = podName.slice(podName.indexOf('/') + 1);
  const near = nearest(podName, known) ?? known.find((other) => other.slice(other.indexOf('/') + 1) === name);
  return near === undefined ? [] : [`did you mean ${near}?`];
}

function lookForPod({ sources, pods }: TargetsAnswer, podName: string): Step {
  const [pod] = pods;
  if (sources.length === 0) {
    return fails(
      'discovered',
      'this agent looks for no pods',
      'switch that on: [discovery] kubernetes = "on", or directory = "DIRECTORY" of pod manifests',
    );
  }
  const states = sources.map(({ name, state }) => `${name}: ${state}`);
  if (pod === undefined) {
    const isWell = sources.every(({ healthy, pods: known }) => healthy && known !== null);
    const todo = isWell
      ? "check its name; an agent asks for the pods of its own node alone ([discovery] node): ask the one on the pod's node"
      : 'the source of pods has to answer first';
    return fails('discovered', `no pod ${podName} is known here`, ...states, todo);
  }
  if (pod.notScraped !== null) return fails('discovered', `${podName} is known, but ${pod.notScraped}`, ...states);
  return ok('discovered', `${podName} is ${pod.phase} at ${pod.ip}${pod.node === '' ? '' : ` on ${pod.node}`}`);
}

function lookAtAnnotations({ targets, refused, warnings, pods }: TargetsAnswer, podName: string): Step {
  const said = [...refused, ...warnings].map(
    ({ annotation, line, message }) => `${annotation}${line === null ? '' : `, line ${line}`}: ${message}`,
  );
  const names = pods[0]?.annotations ?? [];
  if (names.length === 0) {
    return fails(
      'annotation',
      `${podName} has none of the annotations that ask for a scrape`,
      "add datakit/prom.instances, trawl/prom.instances or prometheus.io/scrape to the pod's template, not to its Deployment",
    );
  }
  if (targets.length === 0) {
    const nothing = `${names.join(', ')}: nothing of it is scraped`;
    return fails(
      'annotation',
      nothing,
      ...(said.length > 0 ? said : ['it asks for nothing, or is not read ([discovery] annotations)']),
    );
  }
  const count = `${targets.length} ${targets.length === 1 ? 'target' : 'targets'}`;
  const urls = targets.slice(0, 3).map(({ url }) => url);
  return ok(
    'annotation',
    `${names.join(', ')}: ${count}, ${urls.join(', ')}${targets.length > 3 ? ', …' : ''}`,
    ...said,
  );
}

const isUnreachable = ({ health, hasAnswered }: AnsweredTarget): boolean => health === 'down' && !hasAnswered;

/** `2 of 3 targets` where there are several. */
const share = (some: readonly unknown[], all: readonly unknown[]): readonly string[] =>
  all.length === 1 ? [] : [`so it is with ${some.length} of ${all.length} targets`];

function lookWhetherReachable({ targets }: TargetsAnswer): Step {
  const [lost] = targets.filter(isUnreachable);
  if (lost !== undefined) {
    return fails('reachable', lost.lastError ?? lost.url, ...share(targets.filter(isUnreachable), targets));
  }
  const waiting = targets.filter(({ health }) => health === 'unknown');
  const [first] = waiting;
  if (first !== undefined && waiting.length === targets.length) {
    const within = `${first.url} has not been scraped yet; it will be within ${first.intervalSeconds} s`;
    return { name: 'reachable', state: 'waits', lines: [within] };
  }
  const slowest = Math.max(...targets.map(({ lastDurationSeconds }) => lastDurationSeconds ?? 0));
  return ok('reachable', `it answers within ${Math.round(slowest * 1000)} ms`);
}

function lookWhetherParsed({ targets }: TargetsAnswer): Step {
  const bad = targets.filter(({ health }) => health === 'down');
  const [first] = bad;
  if (first !== undefined) {
    const isUnreadable = first.lastError?.includes('the page cannot be read') === true;
    const look = `is this the page with its metrics? line by line, from a machine that reaches it:  ${programName()} check metrics ${first.url}`;
    return fails('parsed', first.lastError ?? first.url, ...share(bad, targets), ...(isUnreadable ? [look] : []));
  }
  const samples = targets.reduce((sum, target) => sum + target.samples, 0);
  const warnings = targets.flatMap(({ lastWarning }) => (lastWarning === null ? [] : [lastWarning]));
  if (samples === 0) return fails('parsed', 'its page holds no sample', 'does the URL name the page with the metrics?');
  return ok('parsed', `${counted(samples, 'sample')} in the last scrape`, ...warnings);
}

const reportAnswer = z.object({
  status: z.literal('success'),
  data: z.object({ result: z.array(z.object({ value: z.tuple([z.number(), z.string()]) })) }),
});
const errorAnswer = z.object({ error: z.string() });

/** Each scrape's report lies beside its samples: what the store answers of it, it answers of them. */
async function lookIntoStore(podName: string, agent: Agent): Promise<Step> {
  const [namespace = '', name = ''] = podName.split('/');
  const selector = `{namespace=${JSON.stringify(namespace)},pod=${JSON.stringify(name)}}`;
  const report = `scrape_samples_post_metric_relabeling${selector}`;
  const { status, text } = await agent.get(`/api/v1/query?query=${encodeURIComponent(report)}`);
  const value = parse(text);
  const answered = reportAnswer.safeParse(value);
  if (!answered.success) {
    const said = errorAnswer.safeParse(value);
    const why = said.success ? said.data.error : text.slice(0, 200).trim();
    return fails(
      'kept',
      `the store cannot be asked (${status}): ${why}`,
      `see its state:  curl ${agent.url}/api/trawl/status`,
    );
  }
  const { result } = answered.data.data;
  if (result.length === 0) {
    return fails(
      'kept',
      `the store has nothing with ${selector} of the last five minutes`,
      `a scrape can be found a second or two after it; else see what was dropped:  curl ${agent.url}/api/trawl/status`,
    );
  }
  const samples = result.reduce((sum, series) => sum + Number(series.value[1]), 0);
  if (samples === 0) {
    return fails(
      'kept',
      'its filters leave every sample out',
      'look at metric_types and metric_name_filter in its annotation',
    );
  }
  const kept = `${counted(samples, 'sample')} of the last scrape ${samples === 1 ? 'is' : 'are'} in the store`;
  return ok('kept', `${kept}; look at them:  ${selector}`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // What is no JSON is no answer either; the caller says what it was.
    return undefined;
  }
}
