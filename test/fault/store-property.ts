/**
 * Random operations on a real store, each answer compared with a naive model's. An operation is its name and a seed, so that a sequence
 * that shows a difference can be made shorter and run again: `kind:seed kind:seed …`.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { StoreError } from '../../src/store/client.ts';
import type { RetentionLimits } from '../../src/store/retention/plan.ts';
import { createRetention, type Sweep } from '../../src/store/retention/retention.ts';
import { cleanRollups, repairRollups } from '../../src/store/rollups/clean.ts';
import { runRollupPass } from '../../src/store/rollups/pass.ts';
import { createRandom } from '../fixtures/random.ts';
import { ask, type QuestionName, questionNames } from './store-questions.ts';
import { below, pickOf, type Random, randomLogs, randomSamples, randomSpans } from './store-rows.ts';
import { type StoredSegment, type StoreUnderModel, startStoreUnderModel } from './store-under-model.ts';

/** How often each kind comes, relative to the others. */
const weights = {
  insert: 30,
  trace: 12,
  services: 3,
  samples: 16,
  logs: 16,
  topology: 14,
  repeat: 5,
  cut: 4,
  doubled: 4,
  optimize: 6,
  pass: 7,
  tidy: 2,
  time: 5,
  newAgent: 2,
  retentionByAge: 1,
  retentionByBytes: 1,
  restart: 2,
  kill: 2,
  killInInsert: 4,
  killInPass: 2,
  killInMerge: 1,
} as const;

type Kind = keyof typeof weights;

export interface Operation {
  readonly kind: Kind;
  readonly seed: number;
}

const kinds = Object.keys(weights) as Kind[];
const totalWeight = Object.values(weights).reduce((sum, weight) => sum + weight, 0);

/** The operation numbered `index` of a run. */
export function operationAt(seed: number, index: number): Operation {
  const random = createRandom(seed * 1_000_003 + index);
  let draw = random() * totalWeight;
  const kind = kinds.find((candidate) => {
    draw -= weights[candidate];
    return draw < 0;
  });
  return { kind: kind ?? 'insert', seed: Math.floor(random() * 2 ** 31) };
}

export const describeOperations = (operations: readonly Operation[]): string =>
  operations.map(({ kind, seed }) => `${kind}:${seed}`).join(' ');

/** Reads what `describeOperations` wrote. */
export function parseOperations(text: string): Operation[] {
  return text
    .trim()
    .split(/\s+/)
    .map((part) => {
      const [name = '', seed] = part.split(':');
      const kind = kinds.find((candidate) => candidate === name);
      if (kind === undefined || !Number.isSafeInteger(Number(seed))) throw new Error(`"${part}" is no operation`);
      return { kind, seed: Number(seed) };
    });
}

const signal = () => AbortSignal.timeout(60_000);
const log = pino({ level: 'silent' });
const dayMs = 86_400_000;
const ageMs = 3 * dayMs;
const signals = ['spans', 'samples', 'logs'] as const;
const tables = ['spans', 'series', 'samples', 'logs', 'rollup_minutes', 'rollup_operations', 'rollup_edges'] as const;

interface State {
  readonly under: StoreUnderModel;
  /** Segments that may be sent again: none from before a day was dropped, which would come back for a while. */
  segments: StoredSegment[];
  hasAge: boolean;
  /** Nothing older is taken in, by signal. */
  readonly oldestMs: Record<(typeof signals)[number], number>;
}

class Difference extends Error {}

/** Makes a segment of random batches and tells the model of them. */
async function makeSegment({ under, hasAge, oldestMs }: State, random: Random): Promise<StoredSegment> {
  const { model, nowMs, destination } = under;
  const keep = (batch: Parameters<typeof destination.append>[0]) => destination.append(batch, signal());
  for (let batches = 1 + below(random, 4); batches > 0; batches--) {
    const name = pickOf(random, signals);
    if (name === 'spans') {
      const made = randomSpans(random, nowMs, !hasAge).filter(({ linked }) => linked.tsUs / 1000 >= oldestMs.spans);
      if (made.length > 0) await keep({ signal: 'spans', items: made.map(({ span }) => span) });
      model.addSpans(made);
    } else if (name === 'samples') {
      const made = randomSamples(random, nowMs, !hasAge)
        .map(({ series, samples }) => ({
          series,
          samples: samples.filter(({ timestampMs }) => timestampMs >= oldestMs.samples),
        }))
        .filter(({ samples }) => samples.length > 0);
      if (made.length > 0) await keep({ signal: 'samples', items: made });
      model.addSamples(made);
    } else {
      const made = randomLogs(random, nowMs, !hasAge).filter(
        ({ timeNs }) => Number(timeNs / 1_000_000n) >= oldestMs.logs,
      );
      if (made.length > 0) await keep({ signal: 'logs', items: made });
      model.addLogs(made);
    }
  }
  return under.closeSegment();
}

async function check({ under }: State, name: QuestionName, random: Random): Promise<void> {
  const difference = await ask(under, name, random);
  if (difference !== undefined) throw new Difference(difference);
}

/** Asks again and again while something goes on that must not change any answer; `mayFail` where the store is away meanwhile. */
async function askDuring(state: State, random: Random, work: Promise<unknown>, mayFail = false): Promise<void> {
  let isOver = false;
  const over = work.finally(() => {
    isOver = true;
  });
  // Whoever asks below may fail first.
  over.catch(() => undefined);
  do {
    try {
      await check(state, pickOf(random, questionNames), random);
    } catch (error) {
      if (!(mayFail && error instanceof StoreError && error.isRetryable)) throw error;
      await sleep(10);
    }
  } while (!isOver);
  await over;
}

const ended = (error: unknown): void => {
  // A pass or a merge that lost its store fails in one of many ways; what counts is what is answered afterwards.
  if (error instanceof Difference) throw error;
};

async function killAndRestart({ under }: State): Promise<void> {
  await under.store.kill9();
  under.destination.forgetSeries();
  await under.store.restart();
}

const pass = ({ under }: State, random: Random, stop: AbortSignal = signal()) =>
  runRollupPass(under.client, { nowMs: under.nowMs + below(random, 3) * 120_000, signal: stop, redoAfterMs: 0 });

async function sweep(state: State, maxBytes: number | 'none'): Promise<Sweep> {
  const { under } = state;
  const age = state.hasAge ? ageMs : 'forever';
  const limits: RetentionLimits = { ageMs: { spans: age, samples: age, logs: age }, maxBytes };
  // Just after midnight by its own clock, nothing of the current day is old enough to be taken part by part.
  const atMs = maxBytes === 'none' ? under.nowMs : Math.floor(under.nowMs / dayMs) * dayMs + 600_000;
  const clock: Clock = { nowMs: () => atMs, monotonicMs: () => 0, sleep: () => new Promise<void>(() => {}) };
  const swept = await createRetention({ client: under.client, clock, log, limits }).sweep(signal());
  for (const { signal: dropped, day, part } of swept.drops) {
    if (part !== undefined) throw new Difference(`a part of the current day was dropped: ${part}`);
    const fromMs = Date.parse(day);
    under.model.forget(dropped, (ms) => ms >= fromMs && ms < fromMs + dayMs);
    if (maxBytes !== 'none') state.oldestMs[dropped] = Math.max(state.oldestMs[dropped], fromMs + dayMs);
  }
  if (swept.drops.length > 0) state.segments = [];
  return swept;
}

type Clock = Parameters<typeof createRetention>[0]['clock'];

/** Loses some rows of a segment, or stores some twice, as a kill in the middle of an INSERT may have; its sender must mend that. */
async function damage(state: State, random: Random, statement: (table: string, id: bigint) => string): Promise<void> {
  const segment = state.segments[below(random, state.segments.length)];
  const countable = segment?.tables.filter((table) => table !== 'series') ?? [];
  const table = countable[below(random, countable.length)];
  if (segment === undefined || table === undefined) return;
  await state.under.client.command({ sql: statement(table, segment.id), signal: signal(), timeoutMs: 60_000 });
  await state.under.send(segment, true);
}

let tokens = 0;

const actions: Readonly<Record<Exclude<Kind, QuestionName>, (state: State, random: Random) => Promise<unknown>>> = {
  async insert(state, random) {
    const segment = await makeSegment(state, random);
    await state.under.send(segment, false);
    state.segments.push(segment);
  },
  async repeat(state, random) {
    const segment = state.segments[below(random, state.segments.length)];
    if (segment === undefined) return;
    for (let times = 1 + below(random, 3); times > 0; times--) {
      await askDuring(state, random, state.under.send(segment, true));
    }
  },
  cut: (state, random) =>
    damage(
      state,
      random,
      (table, id) => `DELETE FROM ${table} WHERE seg = ${id} AND cityHash64(ts, ${below(random, 9)}) % 3 = 0`,
    ),
  doubled: (state, random) =>
    damage(
      state,
      random,
      (table, id) =>
        `INSERT INTO ${table} SETTINGS insert_deduplication_token = 'twice-${tokens++}' SELECT * FROM ${table} WHERE seg = ${id} AND cityHash64(ts, ${below(random, 9)}) % 3 = 0`,
    ),
  async optimize(state, random) {
    const sql = `OPTIMIZE TABLE ${pickOf(random, tables)} FINAL`;
    await askDuring(state, random, state.under.client.command({ sql, signal: signal(), timeoutMs: 60_000 }));
  },
  async pass(state, random) {
    const stopping = new AbortController();
    const timer = random() < 0.3 ? setTimeout(() => stopping.abort(), below(random, 60)) : undefined;
    await askDuring(state, random, pass(state, random, stopping.signal).catch(ended));
    clearTimeout(timer);
  },
  async tidy(state) {
    const options = { nowMs: state.under.nowMs + 3_600_000, signal: signal() };
    await cleanRollups(state.under.client, options);
    const repaired = await repairRollups(state.under.client, { ...options, nowMs: state.under.nowMs });
    if (repaired > 0) throw new Difference(`${repaired} minutes of the roll-ups were not whole`);
  },
  async time(state, random) {
    state.under.nowMs += below(random, 120_000);
  },
  async newAgent(state) {
    state.under.newAgent();
  },
  async retentionByAge(state) {
    state.hasAge = true;
    for (const name of signals) {
      state.oldestMs[name] = Math.max(state.oldestMs[name], state.under.nowMs - ageMs);
      state.under.model.forget(name, (ms) => ms < state.under.nowMs - ageMs);
    }
    await sweep(state, 'none');
    state.segments = [];
  },
  async retentionByBytes(state, random) {
    const [row] = await state.under.client.rows<{ bytes: string }>({
      sql: 'SELECT toString(sum(bytes_on_disk)) AS bytes FROM system.parts WHERE active AND database = currentDatabase()',
      signal: signal(),
    });
    await sweep(state, Math.floor(Number(row?.bytes ?? 0) * (0.5 + random() / 2)));
  },
  restart: (state, random) => askDuring(state, random, state.under.store.restart(), true),
  kill: (state, random) => askDuring(state, random, killAndRestart(state), true),
  async killInInsert(state, random) {
    const segment = await makeSegment(state, random);
    const sent = state.under.send(segment, false);
    sent.catch(() => undefined);
    await sleep(random() * 50);
    await killAndRestart(state);
    await sent;
    state.segments.push(segment);
  },
  async killInPass(state, random) {
    const passing = pass(state, random).catch(ended);
    await sleep(random() * 80);
    await askDuring(state, random, killAndRestart(state), true);
    await passing;
  },
  async killInMerge(state, random) {
    const sql = `OPTIMIZE TABLE ${pickOf(random, tables)} FINAL`;
    const merging = state.under.client.command({ sql, signal: signal(), timeoutMs: 60_000 }).catch(ended);
    await sleep(random() * 30);
    await askDuring(state, random, killAndRestart(state), true);
    await merging;
  },
};

const isQuestion = (kind: Kind): kind is QuestionName => questionNames.some((name) => name === kind);

/** A failure of the store or of a sender is a difference too. */
async function runOne(state: State, { kind, seed }: Operation): Promise<string | undefined> {
  const random = createRandom(seed);
  try {
    await (isQuestion(kind) ? check(state, kind, random) : actions[kind](state, random));
    return undefined;
  } catch (error) {
    if (error instanceof Difference) return error.message;
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
}

export interface PropertyRun {
  /** Operations that were done. */
  readonly done: readonly Operation[];
  /** What the last of them showed; undefined when everything agreed. */
  readonly difference: string | undefined;
}

/** Does operations one after another on a store of its own, until one shows a difference or `isEnough`. */
export async function runOperations(next: (index: number) => Operation | undefined): Promise<PropertyRun> {
  const under = await startStoreUnderModel();
  const oldest = Number.NEGATIVE_INFINITY;
  const state: State = {
    under,
    segments: [],
    hasAge: false,
    oldestMs: { spans: oldest, samples: oldest, logs: oldest },
  };
  const done: Operation[] = [];
  try {
    for (let operation = next(0); operation !== undefined; operation = next(done.length)) {
      done.push(operation);
      const difference = await runOne(state, operation);
      if (difference !== undefined) return { done, difference };
    }
    return { done, difference: undefined };
  } finally {
    await under.stop();
  }
}

/** Leaves out operations for as long as the rest still shows a difference, or until the time is up. */
export async function shrink(failing: readonly Operation[], timeMs: number): Promise<readonly Operation[]> {
  const endsAt = performance.now() + timeMs;
  let shortest = failing;
  for (let chunk = Math.ceil(failing.length / 2); chunk >= 1; chunk = chunk === 1 ? 0 : Math.ceil(chunk / 2)) {
    // The last one showed the difference, so it stays.
    for (let end = shortest.length - 1; end > 0; end -= chunk) {
      if (performance.now() > endsAt) return shortest;
      const candidate = shortest.filter((_, i) => i < end - chunk || i >= end);
      const { done, difference } = await runOperations((i) => candidate[i]);
      if (difference !== undefined) shortest = done;
    }
  }
  return shortest;
}
