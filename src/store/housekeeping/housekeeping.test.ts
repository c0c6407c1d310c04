import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { realClock } from '../../../test/fixtures/fake-host.ts';
import { startTestStore, type TestStore } from '../../../test/fixtures/test-store.ts';
import { type StoreClient, StoreError } from '../client.ts';
import type { RetentionLimits } from '../retention/plan.ts';
import { type HorizonMemory, openHorizonMemory } from './horizon-memory.ts';
import { createHousekeeping, type Housekeeping } from './housekeeping.ts';

const dayMs = 86_400_000;
const hourMs = 3_600_000;
const limitsOf = (ageMs: number | 'forever'): RetentionLimits => ({
  ageMs: { spans: ageMs, samples: ageMs, logs: ageMs },
  maxBytes: 'none',
});

let store: TestStore;
beforeAll(async () => {
  store = await startTestStore();
}, 30_000);
afterAll(() => store.stop());

const soon = () => AbortSignal.timeout(20_000);
const run = (sql: string) => store.client.command({ sql, signal: soon() });
const read = async (sql: string) => (await store.client.rows<{ x: string }>({ sql, signal: soon() })).map(({ x }) => x);
const until = async (what: string, isTrue: () => boolean | Promise<boolean>) => {
  for (let attempt = 0; attempt < 800; attempt++) {
    if (await isTrue()) return;
    await new Promise((wake) => setTimeout(wake, 25));
  }
  throw new Error(`waited in vain: ${what}`);
};

const checkEveryMs = 97;

/** The pause between two looks, which the test ends. */
function createPause() {
  let wake = () => {};
  let asleep = () => {};
  return {
    sleep: (signal: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        wake = resolve;
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
        asleep();
      }),
    /** One more look, from its beginning to its end. */
    async look() {
      const isOver = new Promise<void>((resolve) => {
        asleep = resolve;
      });
      wake();
      await isOver;
    },
  };
}

interface AgentOptions {
  readonly ageMs?: number | 'forever';
  readonly leaseMs?: number;
  readonly slowMs?: number;
  /** It looks when the test says so, in place of every 97 ms. */
  readonly looksWhenTold?: boolean;
  readonly memory?: HorizonMemory;
}

/** An agent that shares the store: it can be killed, after which nothing of it reaches the store, and it counts its rounds. */
function createAgent(writer: number, options: AgentOptions = {}) {
  const { ageMs = 7 * dayMs, leaseMs = 30_000, slowMs = 0, looksWhenTold = false } = options;
  const pause = createPause();
  const slept: number[] = [];
  let isDead = false;
  let late: Parameters<StoreClient['command']>[0] | undefined;
  let isSlow = false;
  let rounds = 0;
  const alive = () => {
    if (isDead) throw new StoreError('this agent is dead', { isRetryable: true });
  };
  const client: StoreClient = {
    ...store.client,
    async rows<Row>(query: Parameters<StoreClient['rows']>[0]) {
      alive();
      if (query.sql.includes('FROM housekeeping')) rounds++;
      return store.client.rows<Row>(query);
    },
    async command(query) {
      alive();
      if (isSlow && query.sql.startsWith('INSERT INTO housekeeping')) {
        isSlow = false;
        late = query;
        await new Promise((_, reject) => query.signal.addEventListener('abort', () => reject(query.signal.reason)));
      }
      await store.client.command(query);
    },
  };
  const housekeeping = createHousekeeping({
    client,
    clock: {
      ...realClock,
      nowMs: () => realClock.nowMs() - slowMs,
      sleep(delayMs, signal) {
        slept.push(delayMs);
        return looksWhenTold && delayMs === checkEveryMs ? pause.sleep(signal) : realClock.sleep(delayMs, signal);
      },
    },
    log: pino({ level: 'silent' }),
    limits: limitsOf(ageMs),
    as: { kind: 'elected', writer },
    leaseMs,
    checkEveryMs,
    ...(options.memory === undefined ? {} : { memory: options.memory }),
  });
  return {
    housekeeping,
    slept,
    /** How old rows may be for certain, and how old they may be at most, in ms. */
    takes() {
      const ageOf = (oldestMs: number | undefined) =>
        oldestMs === undefined ? 'any' : Math.round((Date.now() - oldestMs) / 60_000) * 60_000;
      return {
        atMost: ageOf(housekeeping.oldestAllowedMs('logs')),
        unsureFrom: ageOf(housekeeping.unsureBeforeMs('logs')),
      };
    },
    look: pause.look,
    /** From now on the next claim it writes is on its way until `arrive`, whether it is broken off meanwhile or not. */
    delayClaim() {
      isSlow = true;
    },
    isClaimUnderWay: () => late !== undefined,
    async arrive() {
      if (late === undefined) throw new Error('no claim is on its way');
      await store.client.command({ ...late, signal: soon() });
    },
    holds: () => housekeeping.describe().endsWith('this agent'),
    rounds: () => rounds,
    kill() {
      isDead = true;
    },
  };
}

describe('a store that two agents share', () => {
  const started: Housekeeping[] = [];
  const start = async (...agents: ReturnType<typeof createAgent>[]) => {
    started.push(...agents.map(({ housekeeping }) => housekeeping));
    await Promise.all(agents.map(({ housekeeping }) => housekeeping.start()));
  };
  beforeEach(() => run('DROP TABLE IF EXISTS housekeeping'));
  afterEach(async () => {
    await Promise.all(started.splice(0).map((housekeeping) => housekeeping.stop()));
  });

  it('is kept in order by one of them: a minute is passed once', async () => {
    await run(
      `INSERT INTO spans (ts, id, trace_id, seg) SELECT now() - INTERVAL 10 MINUTE, number + 1, reinterpretAsFixedString(generateUUIDv4()), 1 FROM numbers(100)`,
    );
    const [a, b] = [createAgent(11), createAgent(22)];
    await start(a, b);
    await until('one of them holds', () => a.holds() !== b.holds());
    await until(
      'the minute is passed',
      async () => (await read('SELECT toString(count()) AS x FROM rollup_minutes'))[0] !== '0',
    );
    const [before, first] = [[a.rounds(), b.rounds()], a.holds() ? 'a' : 'b'];
    await until('both have looked again', () => a.rounds() > (before[0] ?? 0) + 5 && b.rounds() > (before[1] ?? 0) + 5);
    expect(a.holds() ? 'a' : 'b').toBe(first);
    expect(await read('SELECT toString(count()) AS x FROM rollup_minutes')).toEqual(['1']);
    expect(await read('SELECT toString(sum(requests)) AS x FROM rollup_operations')).toEqual(['100']);
  }, 40_000);

  it('is taken over when the holder is killed, once its claim has run out', async () => {
    const [a, b] = [createAgent(11, { leaseMs: 1_500 }), createAgent(22)];
    await start(a);
    expect(a.holds()).toBe(true);
    await start(b);
    expect(b.holds()).toBe(false);
    a.kill();
    await until('the other holds', b.holds);
  }, 40_000);

  it('is taken over at the next look when the holder stops in order', async () => {
    const [a, b] = [createAgent(11), createAgent(22, { looksWhenTold: true })];
    await start(a);
    await start(b);
    await b.look();
    expect([a.holds(), b.holds()]).toEqual([true, false]);
    await a.housekeeping.stop();
    await b.look();
    expect(b.holds()).toBe(true);
  }, 40_000);

  it.each(['renews its claim', 'claims it for the first time'])(
    'is taken over when the holder stops while it %s, although the store carries that out only later',
    async (what) => {
      const [a, b] = [createAgent(11, { looksWhenTold: true }), createAgent(22, { looksWhenTold: true })];
      if (what === 'renews its claim') {
        await start(a);
        a.delayClaim();
        void a.look();
      } else {
        a.delayClaim();
        void a.housekeeping.start();
      }
      await until('the claim is under way', a.isClaimUnderWay);
      await a.housekeeping.stop();
      await a.arrive();
      await start(b);
      expect(b.holds()).toBe(true);
    },
    40_000,
  );

  it('keeps what the holder keeps, and the other takes nothing in that the holder would drop', async () => {
    const [a, b] = [createAgent(11, { ageMs: 3 * dayMs, leaseMs: 3_000 }), createAgent(22)];
    expect(Date.now() - (b.housekeeping.oldestAllowedMs('logs') ?? 0)).toBeGreaterThan(6 * dayMs);
    await start(a);
    await start(b);
    for (const { housekeeping } of [a, b]) {
      const keptMs = Date.now() - (housekeeping.oldestAllowedMs('logs') ?? 0);
      expect(Math.round(keptMs / 1000)).toBe((3 * dayMs) / 1000);
    }
    const ttl = `SELECT extract(engine_full, ' TTL (.*) SETTINGS') AS x FROM system.tables WHERE database = currentDatabase() AND name = 'logs'`;
    await until('the age is in the table', async () => (await read(ttl))[0]?.includes('259200') === true);
  }, 40_000);

  it('is not dropped from by a new holder before all others had the time to learn of it', async () => {
    await run('ALTER TABLE logs MODIFY TTL toDateTime(ts) + toIntervalDay(365)');
    await run("INSERT INTO logs (ts, body) VALUES (now() - INTERVAL 20 DAY, 'old')");
    const [a, b] = [
      createAgent(11, { ageMs: 30 * dayMs, looksWhenTold: true }),
      createAgent(22, { ageMs: dayMs, looksWhenTold: true }),
    ];
    await start(a);
    await start(b);
    await a.housekeeping.stop();
    await b.look();
    expect(b.holds()).toBe(true);
    // It goes by its own retention itself at once, and sweeps after a lease and a look.
    expect(b.takes()).toEqual({ atMost: dayMs, unsureFrom: 'any' });
    expect(b.slept).toContain(30_000 + checkEveryMs);
    expect(await read("SELECT body AS x FROM logs WHERE body = 'old'")).toEqual(['old']);
  }, 40_000);

  it('says by the store’s clock what is too old to be taken, however slow or fast the agent’s own is', async () => {
    const [slow, fast] = [createAgent(11, { slowMs: 2 * dayMs }), createAgent(22, { slowMs: -2 * dayMs })];
    await start(slow);
    await start(fast);
    for (const { housekeeping } of [slow, fast]) {
      const keptMs = Date.now() - (housekeeping.oldestAllowedMs('spans') ?? 0);
      expect(Math.abs(keptMs - 7 * dayMs)).toBeLessThan(60_000);
    }
  }, 40_000);

  it('is left alone by agents once the store keeps itself, also those that kept it before', async () => {
    const a = createAgent(11, { ageMs: dayMs / 24 });
    await start(a);
    expect(a.holds()).toBe(true);
    const itself = createHousekeeping({
      client: store.client,
      clock: realClock,
      log: pino({ level: 'silent' }),
      limits: limitsOf(30 * dayMs),
      as: { kind: 'store' },
    });
    await itself.start();
    await until('the agent steps back', () => a.housekeeping.describe().endsWith('the store itself'));
    await itself.stop();
    const rounds = a.rounds();
    await until('the agent has looked again', () => a.rounds() > rounds + 30);
    expect(a.holds()).toBe(false);
    expect(Date.now() - (a.housekeeping.oldestAllowedMs('spans') ?? 0)).toBeGreaterThan(29 * dayMs);
  }, 40_000);
});

describe('an agent that could not ask the store yet what it keeps', () => {
  let home: string;
  beforeEach(async () => {
    await run('DROP TABLE IF EXISTS housekeeping');
    home = await mkdtemp(join(tmpdir(), 'trawl-horizons-'));
  });
  afterEach(() => rm(home, { recursive: true, force: true }));
  const log = pino({ level: 'silent' });
  const remember = (url = 'http://trawl-store:9530') =>
    openHorizonMemory({ file: join(home, 'store-horizons.json'), store: url, log });
  const startedWithoutStore = async (options: AgentOptions) => {
    const agent = createAgent(22, options);
    agent.kill();
    await agent.housekeeping.start();
    const takes = agent.takes();
    await agent.housekeeping.stop();
    return takes;
  };

  it('takes for certain an hour, which any store keeps, and nothing beyond what it would keep itself', async () => {
    expect(await startedWithoutStore({ ageMs: 'forever' })).toEqual({ atMost: 'any', unsureFrom: hourMs });
    expect(await startedWithoutStore({ ageMs: 7 * dayMs })).toEqual({ atMost: 7 * dayMs, unsureFrom: hourMs });
    expect(await startedWithoutStore({ ageMs: hourMs / 2 })).toEqual({ atMost: hourMs / 2, unsureFrom: hourMs / 2 });
  });

  it('goes by what it found before its last stop where that is stricter, and by what the store says as soon as it does', async () => {
    const holder = createAgent(11, { ageMs: 3 * dayMs });
    await holder.housekeeping.start();
    const agent = createAgent(22, { ageMs: 'forever', memory: await remember() });
    await agent.housekeeping.start();
    expect(agent.takes()).toEqual({ atMost: 3 * dayMs, unsureFrom: 'any' });
    await agent.housekeeping.stop();
    await holder.housekeeping.stop();
    const again = (ageMs: number | 'forever', memory: HorizonMemory) => startedWithoutStore({ ageMs, memory });
    expect(await again('forever', await remember())).toEqual({ atMost: 'any', unsureFrom: 3 * dayMs });
    expect(await again(dayMs, await remember())).toEqual({ atMost: 3 * dayMs, unsureFrom: dayMs });
    // Of another store it knows nothing, nor where the file is damaged.
    expect(await again('forever', await remember('http://another:9530'))).toEqual({
      atMost: 'any',
      unsureFrom: hourMs,
    });
    await writeFile(join(home, 'store-horizons.json'), '{"store":"htt');
    expect(await again('forever', await remember())).toEqual({ atMost: 'any', unsureFrom: hourMs });
  }, 40_000);
});
