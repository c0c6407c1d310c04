/** What every kind of input must pass: `describeInput({ kind, ... })` in a test file of `test/contract/` or beside the kind. */

import { readdirSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { Batch, Outcome } from '../../src/model/batch.ts';
import type { InputKind, Running } from '../../src/pipeline/component.ts';
import { createFakeHost, type FakeHost, realClock, until } from '../fixtures/fake-host.ts';
import { createRandom } from '../fixtures/random.ts';

/** Something that a program outside sends to the input, or that the input finds there. */
export interface InputSource {
  /** Keys of the configuration that make the input look at this source. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Makes about `items` new items for the input, and waits for the answer where there is one. */
  produce(items: number, host: FakeHost): Promise<void>;
  /** Items of the source in a batch; what the input adds of its own does not count. */
  count(batch: Batch): number;
  close(): Promise<void>;
}

export interface InputContract<Config> {
  readonly kind: InputKind<Config>;
  openSource(): Promise<InputSource>;
  /** What becomes of a batch that the intake cannot take now: the input offers it again, its sender is told, or it is lost and counted. */
  readonly onRetry: 'repeats' | 'tells' | 'drops';
  /** Keys with a value that must be shown nowhere, e.g. `{ http_headers: { 'x-key': secret } }`. */
  readonly secretConfig?: (secret: string) => Readonly<Record<string, unknown>>;
}

interface Stage {
  readonly host: FakeHost;
  readonly running: Running;
  readonly source: InputSource;
  readonly offered: Batch[];
  /** How many items of the source were kept, as the oracle counts. */
  kept: number;
}

const openFds = () => readdirSync('/proc/self/fd').length;

/** Runs the contract. */
export function describeInput<Config>(contract: InputContract<Config>): void {
  const { kind } = contract;
  let cleanUp: (() => Promise<void>)[] = [];

  afterEach(async () => {
    for (const close of cleanUp.reverse()) await close();
    cleanUp = [];
  });

  const openSource = async () => {
    const source = await contract.openSource();
    cleanUp.push(() => source.close());
    return source;
  };
  const openHost = () => {
    const host = createFakeHost({ clock: realClock, name: `inputs.${kind.type}` });
    cleanUp.push(async () => host.close());
    return host;
  };
  const start = async (
    decide: (batch: Batch, signal: AbortSignal) => Outcome | Promise<Outcome> = () => ({ kind: 'kept' }),
    extra: Readonly<Record<string, unknown>> = {},
  ): Promise<Stage> => {
    const source = await openSource();
    const host = openHost();
    const offered: Batch[] = [];
    const config = kind.config.parse({ ...source.config, ...extra });
    const running = await kind.start(config, host, async (batch, signal) => {
      offered.push(batch);
      const outcome = await decide(batch, signal);
      if (outcome.kind === 'kept') {
        stage.kept += source.count(batch);
        if (batch.signal === 'logs') host.keep(batch.positions ?? []);
      }
      return outcome;
    });
    const stage: Stage = { host, running, source, offered, kept: 0 };
    cleanUp.push(() => running.stop(AbortSignal.timeout(5000)));
    return stage;
  };

  describe(`the input ${kind.type}`, () => {
    it('describes itself and refuses unknown keys by name', async () => {
      expect(kind.type).toMatch(/^[a-z][a-z0-9_]*$/);
      expect(kind.summary).toMatch(/^[A-Z].*\.$/);
      const source = await openSource();
      expect(kind.config.safeParse(source.config).success).toBe(true);
      const refused = kind.config.safeParse({ ...source.config, no_such_key: 1 });
      expect(refused.success).toBe(false);
      expect(JSON.stringify(refused.error?.issues)).toContain('no_such_key');
    });

    it('does nothing before it is started', async () => {
      const source = await openSource();
      const before = openFds();
      kind.config.parse(source.config);
      await nextTurn();
      expect(openFds()).toBe(before);
    });

    it('starts and stops twice, gives everything back, and takes a second stop of the same', async () => {
      const source = await openSource();
      const host = openHost();
      const config = kind.config.parse(source.config);
      const before = openFds();
      for (let round = 0; round < 2; round++) {
        const running = await kind.start(config, host, async () => ({ kind: 'kept' }));
        expect(running.health().line).not.toBe('');
        const deadline = AbortSignal.timeout(5000);
        await Promise.all([running.stop(deadline), running.stop(deadline)]);
        await running.stop(deadline);
        expect(host.ingestRoutes).toEqual([]);
      }
      await until('all descriptors are given back', () => openFds() <= before, 3000);
    });

    it('keeps every item once', async () => {
      const stage = await start();
      await stage.source.produce(50, stage.host);
      await until('50 items are kept', () => stage.kept >= 50);
      expect(stage.kept).toBe(50);
      expect(stage.host.lost()).toBe(0);
    });

    it('stops by the deadline although the intake never answers', async () => {
      const stage = await start(
        (_, signal) =>
          new Promise((_resolve, reject) => {
            if (signal.aborted) reject(signal.reason);
            signal.addEventListener('abort', () => reject(signal.reason), { once: true });
          }),
      );
      const produced = stage.source.produce(5, stage.host).catch(() => undefined);
      await until('a batch is offered', () => stage.offered.length > 0);
      const startedMs = performance.now();
      await stage.running.stop(AbortSignal.timeout(200));
      expect(performance.now() - startedMs).toBeLessThan(3000);
      // A sender that still waits for its answer is no business of the input's any more.
      await Promise.race([produced, nextTurn()]);
    });

    it('neither loses nor repeats an item while the intake says not now at random', async () => {
      const seed = Math.floor(Math.random() * 2 ** 32);
      const random = createRandom(seed);
      let refused = 0;
      const stage: Stage = await start((batch) => {
        if (random() < 0.6) return { kind: 'kept' };
        refused += stage.source.count(batch);
        return { kind: 'retry', afterMs: 1 + Math.floor(random() * 5), cause: new Error('not now') };
      });
      let produced = 0;
      for (let round = 0; round < 5; round++) {
        await stage.source.produce(10, stage.host);
        produced += 10;
      }
      const settled = () => stage.kept + (contract.onRetry === 'repeats' ? 0 : refused);
      await until(`all items are settled (seed ${seed})`, () => settled() >= produced);
      expect(settled(), `seed ${seed}`).toBe(produced);
      if (contract.onRetry !== 'drops') expect(stage.host.lost(), `seed ${seed}`).toBe(0);
      else if (refused > 0) expect(stage.host.lost(), `seed ${seed}`).toBeGreaterThanOrEqual(refused);
    });

    it('never offers again what was rejected for good', async () => {
      const stage: Stage = await start((batch) => ({
        kind: 'rejected',
        count: batch.items.length,
        cause: new Error('never'),
      }));
      const offeredItems = () => stage.offered.reduce((sum, batch) => sum + stage.source.count(batch), 0);
      await stage.source.produce(20, stage.host);
      await until('all items are offered', () => offeredItems() >= 20);
      await stage.source.produce(20, stage.host);
      await until('the next items are offered', () => offeredItems() >= 40);
      expect(offeredItems()).toBe(40);
    });

    it('shows no secret in its log, health, status or configuration', async () => {
      const secret = 'tr4wl-secret-value';
      const stage = await start(undefined, contract.secretConfig?.(secret) ?? {});
      await stage.source.produce(1, stage.host);
      await until('the item is kept', () => stage.kept >= 1);
      const config = kind.config.parse({ ...stage.source.config, ...contract.secretConfig?.(secret) });
      const shown = JSON.stringify([config, stage.running.health(), stage.host.logLines, stage.host.meter.status()]);
      expect(shown + String(config)).not.toContain(secret);
      expect(await stage.host.meter.registry.metrics()).not.toContain(secret);
    });
  });
}
