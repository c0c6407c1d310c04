/** Questions that are put to a store and to its naive model: each answers with what both said, as texts that must be the same. */
import { type LabelMatcher, matchOps } from '../../src/store/readers/label-matcher.ts';
import { readLogs } from '../../src/store/readers/logs.ts';
import { serviceNames } from '../../src/store/readers/names.ts';
import { readSamples } from '../../src/store/readers/samples.ts';
import { traceById } from '../../src/store/readers/spans.ts';
import { readTopology } from '../../src/store/rollups/topology.ts';
import { canonical, describePoints } from './store-model.ts';
import { below, pickOf, type Random, randomText, samplePods } from './store-rows.ts';
import type { StoreUnderModel } from './store-under-model.ts';

/** What was asked, what the store said, and what the model says. */
export interface Answers {
  readonly question: string;
  readonly stored: readonly string[];
  readonly expected: readonly string[];
}

type Question = (under: StoreUnderModel, random: Random) => Promise<Answers>;

const signal = () => AbortSignal.timeout(20_000);
const minuteMs = 60_000;
const dayMs = 86_400_000;

/** A window of time with something in it, or all of the two days that are kept whatever happens. */
function randomWindow({ nowMs }: StoreUnderModel, random: Random): { startMs: number; endMs: number } {
  const midnightMs = Math.floor(nowMs / dayMs) * dayMs;
  const startMs = pickOf(random, [
    nowMs - 20 * minuteMs,
    nowMs - 2 * 3_600_000 - 6 * minuteMs,
    midnightMs - 2 * minuteMs,
    nowMs - dayMs - 4 * minuteMs,
    midnightMs - 1.5 * dayMs,
  ]);
  const lengthMs = pickOf(random, [below(random, 1000), below(random, 10 * minuteMs), 30 * minuteMs, 3 * dayMs]);
  const shiftMs = random() < 0.5 ? below(random, 5 * minuteMs) : 0;
  return { startMs: startMs + shiftMs, endMs: startMs + shiftMs + lengthMs };
}

function randomMatchers(random: Random, names: readonly [string, ...string[]], values: readonly [string, ...string[]]) {
  return Array.from({ length: below(random, 3) }, (): LabelMatcher => {
    const op = pickOf(random, matchOps);
    const isRegex = op === '=~' || op === '!~';
    return {
      name: pickOf(random, names),
      op,
      value: isRegex ? pickOf(random, ['.*', '.+', 'a|b', 'web.1', '[ab]?', 'pod-[01]', '']) : pickOf(random, values),
    };
  });
}

const trace: Question = async ({ client, model }, random) => {
  const spans = model.spans();
  const known = spans[below(random, spans.length)]?.linked.traceId;
  const id = known !== undefined && random() < 0.95 ? known : '00000000000000000000000000000bad';
  const found = await traceById(client, id, { signal: signal() });
  return {
    question: `trace ${id}`,
    stored: found.map(canonical).sort(),
    expected: model
      .trace(id)
      .map(({ span }) => canonical(span))
      .sort(),
  };
};

const services: Question = async ({ client, model }) => ({
  question: 'services',
  stored: [...(await serviceNames(client, { signal: signal() }))].sort(),
  expected: model.services(),
});

const samples: Question = async (under, random) => {
  const { startMs, endMs } = randomWindow(under, random);
  const matchers: LabelMatcher[] = [
    ...(random() < 0.5 ? [{ name: '__name__', op: '=', value: 'requests_total' } as const] : []),
    ...randomMatchers(random, ['__name__', 'pod', 'path', 'nothing'], [...samplePods, 'up']),
  ];
  const selection = { matchers, afterMs: startMs, untilMs: endMs };
  const found = await readSamples(under.client, selection, { signal: signal() });
  return {
    question: `samples ${JSON.stringify(selection)}`,
    stored: found.map(describePoints).sort(),
    expected: await under.model.samples(selection),
  };
};

const logs: Question = async (under, random) => {
  const { startMs, endMs } = randomWindow(under, random);
  const selection = {
    matchers: randomMatchers(
      random,
      ['pod', 'namespace', 'stream', 'service_name', 'nothing'],
      ['pod-1', 'stdout', ''],
    ),
    contains: Array.from({ length: below(random, 3) }, () => randomText(random)),
    startNs: BigInt(startMs) * 1_000_000n,
    endNs: BigInt(endMs) * 1_000_000n,
    direction: pickOf(random, ['forward', 'backward'] as const),
    limit: pickOf(random, [1, 7, 100, 5000]),
  };
  const found = await readLogs(under.client, selection, { signal: signal() });
  return {
    question: `logs ${canonical(selection)}`,
    stored: found.map(canonical),
    expected: under.model.lines(selection),
  };
};

const topology: Question = async (under, random) => {
  const window = randomWindow(under, random);
  const { nodes, edges, startMs, endMs } = await readTopology(under.client, { ...window, signal: signal() });
  const expected = under.model.topology(startMs / 1000, endMs / 1000);
  return {
    question: `topology ${JSON.stringify({ startMs, endMs })}`,
    stored: [
      ...nodes.map((node) => `${node.service} ${node.spans} ${node.requests} ${node.errors}`).sort(),
      ...edges.map((edge) => `${edge.caller} ${edge.callee} ${edge.requests} ${edge.errors}`).sort(),
    ],
    expected: [...expected.nodes, ...expected.edges],
  };
};

const questions = { trace, services, samples, logs, topology } as const;

export const questionNames = ['trace', 'services', 'samples', 'logs', 'topology'] as const;
export type QuestionName = (typeof questionNames)[number];

/** Asks both; undefined when they agree, else what they said. */
export async function ask(under: StoreUnderModel, name: QuestionName, random: Random): Promise<string | undefined> {
  const { question, stored, expected } = await questions[name](under, random);
  if (stored.length === expected.length && stored.every((line, i) => line === expected[i])) return undefined;
  const only = (a: readonly string[], b: readonly string[]) => {
    const others = new Set(b);
    return a.filter((line) => !others.has(line)).slice(0, 5);
  };
  return [
    `${question}: the store says ${stored.length} and the model ${expected.length}`,
    ...only(stored, expected).map((line) => `  only in the store: ${line}`),
    ...only(expected, stored).map((line) => `  only in the model: ${line}`),
  ].join('\n');
}
