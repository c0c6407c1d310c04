import { AsyncLocalStorage } from 'node:async_hooks';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { createFakeClock } from '../../../test/fixtures/fake-host.ts';
import type { ComponentBlock, ComponentKind } from '../../config/load.ts';
import { type Components, createComponents } from './components.ts';

const kind = { type: 'fake', summary: '' } as ComponentKind;
const block = (name: string): ComponentBlock<ComponentKind> => ({ kind, name, config: {}, source: 'test:1' });
const deadline = () => AbortSignal.timeout(1000);

/** Components that do nothing, and a way to throw as one of them would. */
function createLab(options: { startFails?: (name: string) => boolean } = {}) {
  const clock = createFakeClock();
  const events: string[] = [];
  const contexts = new Map<string, (run: () => unknown) => unknown>();
  const components: Components<ComponentKind> = createComponents<ComponentKind>({
    clock,
    log: pino({ level: 'silent' }),
    async start({ name }) {
      if (options.startFails?.(name) === true) throw new Error(`${name} cannot start`);
      contexts.set(name, AsyncLocalStorage.snapshot());
      events.push(`start ${name}`);
      return {
        async stop(_deadline, because) {
          events.push(`stop ${name}${because === undefined ? '' : ` ${because}`}`);
        },
        health: () => ({ isHealthy: true, line: 'runs' }),
      };
    },
  });
  const crash = (name: string, message = 'boom') => contexts.get(name)?.(() => components.adopt(new Error(message)));
  const health = () =>
    Object.fromEntries(components.health().map(({ component, health: { line } }) => [component, line]));
  return { clock, events, components, crash, health };
}

/** One component with a spool that it opens slowly from its second life on: each opening waits for the test. */
function createSpoolLab() {
  const clock = createFakeClock();
  const spool = {
    isOpen: false,
    openedTwice: 0,
    opens: 0,
    closes: 0,
    opening: Array.of<() => void>(),
  };
  let crashed: (run: () => unknown) => unknown = (run) => run();
  const components: Components<ComponentKind> = createComponents<ComponentKind>({
    clock,
    log: pino({ level: 'silent' }),
    async start() {
      crashed = AsyncLocalStorage.snapshot();
      if (spool.opens > 0) await new Promise<void>((open) => spool.opening.push(open));
      if (spool.isOpen) spool.openedTwice++;
      spool.isOpen = true;
      spool.opens++;
      return {
        async stop() {
          spool.isOpen = false;
          spool.closes++;
        },
        health: () => ({ isHealthy: true, line: 'runs' }),
      };
    },
  });
  return { clock, components, spool, crash: (_name: string) => crashed(() => components.adopt(new Error('boom'))) };
}

describe('components', () => {
  it('starts a component again after an error that nobody caught, and leaves the others alone', async () => {
    const { clock, events, components, crash, health } = createLab();
    await components.startAll([block('a'), block('b')]);
    expect(crash('a')).toBe(true);
    expect(health()).toEqual({ a: 'failed and is started again: boom', b: 'runs' });
    await clock.advance(500);
    expect(health()).toEqual({ a: 'runs', b: 'runs' });
    expect(events).toEqual(['start a', 'start b', 'stop a', 'start a']);
  });

  it('waits longer after each failure within a minute, and keeps a component off after the fifth', async () => {
    const { clock, events, components, crash, health } = createLab();
    await components.startAll([block('a')]);
    for (const waitMs of [500, 1000, 2000, 4000]) {
      crash('a');
      await clock.advance(waitMs - 1);
      expect(health()['a']).toContain('started again');
      await clock.advance(1);
      expect(health()['a']).toBe('runs');
    }
    crash('a', 'the fifth');
    await clock.advance(600_000);
    expect(health()).toEqual({ a: 'failed too often and is off until the next reload: the fifth' });
    expect(events.filter((event) => event === 'start a')).toHaveLength(5);
    expect(events.at(-1)).toBe('stop a');
  });

  it('forgets failures that are more than a minute old', async () => {
    const { clock, components, crash, health } = createLab();
    await components.startAll([block('a')]);
    for (let i = 0; i < 10; i++) {
      crash('a');
      await clock.advance(61_000);
    }
    expect(health()).toEqual({ a: 'runs' });
  });

  it('counts an error that is thrown three times before the new start once, and starts one life', async () => {
    const { clock, events, components, crash } = createLab();
    await components.startAll([block('a')]);
    for (let i = 0; i < 3; i++) crash('a');
    await clock.advance(10_000);
    expect(events).toEqual(['start a', 'stop a', 'start a']);
  });

  it('tries again when the new start fails, and stays off after five failures', async () => {
    let isBroken = false;
    const { clock, components, crash, health } = createLab({ startFails: () => isBroken });
    await components.startAll([block('a')]);
    isBroken = true;
    crash('a');
    await clock.advance(3000);
    expect(health()).toEqual({ a: 'failed and is started again: a cannot start' });
    isBroken = false;
    await clock.advance(4000);
    expect(health()).toEqual({ a: 'runs' });
  });

  it('deals with an error of a component that a reload has removed, without starting it', async () => {
    const { clock, events, components, crash } = createLab();
    const [a, b] = [block('a'), block('b')];
    await components.startAll([a, b]);
    await components.apply({ added: [], removed: [a], changed: [], unchanged: [{ from: b, to: b }] });
    expect(crash('a')).toBe(true);
    await clock.advance(10_000);
    expect(events).toEqual(['start a', 'start b', 'stop a removed']);
  });

  it('does not take an error for its own that no component threw', async () => {
    const { components } = createLab();
    await components.startAll([block('a')]);
    expect(components.adopt(new Error('of somebody else'))).toBe(false);
  });

  it('puts everything back when a block of a reload cannot start', async () => {
    const { events, components, health } = createLab({ startFails: (name) => name === 'bad' });
    const [a, b, c] = [block('a'), block('b'), block('c')];
    await components.startAll([a, b, c]);
    const reload = components.apply({
      added: [block('new'), block('bad')],
      removed: [a],
      changed: [],
      unchanged: [b, c].map((same) => ({ from: same, to: same })),
    });
    await expect(reload).rejects.toThrow('bad cannot start');
    expect(health()).toEqual({ a: 'runs', b: 'runs', c: 'runs' });
    expect(events.slice(3)).toEqual(['stop a removed', 'start new', 'stop new removed', 'start a']);
  });

  it('goes on trying to start what a failed reload could not put back', async () => {
    let isBroken = false;
    const { clock, components, health } = createLab({ startFails: () => isBroken });
    const a = block('a');
    await components.startAll([a]);
    isBroken = true;
    await expect(components.apply({ added: [block('b')], removed: [a], changed: [], unchanged: [] })).rejects.toThrow();
    expect(health()).toEqual({ a: 'failed and is started again: a cannot start' });
    isBroken = false;
    await clock.advance(500);
    expect(health()).toEqual({ a: 'runs' });
  });

  describe('that open a spool which only one life may have open', () => {
    it('are removed by a reload only when the restart that is under way has closed it', async () => {
      const { clock, components, spool, crash } = createSpoolLab();
      const [old, changed] = [block('a'), block('a')];
      await components.startAll([old]);
      crash('a');
      await clock.advance(500);
      expect(spool.opening).toHaveLength(1);
      const reload = components.apply({ added: [], removed: [], changed: [{ from: old, to: changed }], unchanged: [] });
      await clock.advance(1);
      // The restarted life opens the spool after the reload has begun, whose own life must not have done so before.
      spool.opening.pop()?.();
      await clock.advance(1);
      spool.opening.pop()?.();
      await reload;
      expect(spool).toMatchObject({ isOpen: true, openedTwice: 0, opens: 3, closes: 2 });
      expect(components.health()).toMatchObject([{ component: 'a', health: { line: 'runs' } }]);
    });

    it('are removed at once while they wait for their restart, and are not started then', async () => {
      const { clock, components, spool, crash } = createSpoolLab();
      const a = block('a');
      await components.startAll([a]);
      crash('a');
      await clock.advance(100);
      await components.apply({ added: [], removed: [a], changed: [], unchanged: [] });
      expect(clock.sleepers()).toBe(0);
      await clock.advance(10_000);
      expect(spool).toMatchObject({ isOpen: false, opens: 1, closes: 1 });
    });

    it.each(['restart', 'reload'])('are closed when the agent stops in the middle of a %s', async (what) => {
      const { clock, components, spool, crash } = createSpoolLab();
      const [old, changed] = [block('a'), block('a')];
      await components.startAll([old]);
      let reload: Promise<void> = Promise.resolve();
      if (what === 'restart') {
        crash('a');
        await clock.advance(500);
      } else {
        reload = components.apply({ added: [], removed: [], changed: [{ from: old, to: changed }], unchanged: [] });
        await clock.advance(1);
      }
      let isStopped = false;
      const stopped = components.stopAll(deadline()).then(() => {
        isStopped = true;
      });
      await clock.advance(1);
      expect(isStopped).toBe(false);
      spool.opening.shift()?.();
      await Promise.all([stopped, reload]);
      expect(spool).toMatchObject({ isOpen: false, openedTwice: 0, opens: 2, closes: 2 });
    });

    it('keep no stop waiting for ever when their start hangs', async () => {
      const { clock, components, crash } = createSpoolLab();
      await components.startAll([block('a')]);
      crash('a');
      await clock.advance(500);
      await components.stopAll(AbortSignal.abort(new Error('the deadline has passed')));
    });
  });

  it('starts nothing any more once all are stopped', async () => {
    const { clock, events, components, crash } = createLab();
    await components.startAll([block('a'), block('b')]);
    crash('a');
    await components.stopAll(deadline());
    await clock.advance(10_000);
    expect(events).toEqual(['start a', 'start b', 'stop a', 'stop b shutdown']);
  });
});

/** Runs a real process, since a test runner catches what is thrown in its own. */
async function runCrashing(...args: string[]): Promise<{ code: number; said: unknown }> {
  const file = fileURLToPath(new URL('../../../test/fixtures/crashing-component.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', file, ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  return { code, said: output === '' ? undefined : JSON.parse(output) };
}

describe('a process with a component that throws where nobody catches', () => {
  it.each(['timer', 'rejection'])('lives on and starts the component again (%s)', async (how) => {
    expect(await runCrashing(how, '2')).toEqual({
      code: 0,
      said: { starts: 3, stops: 2, health: { isHealthy: true, line: 'runs' } },
    });
  });

  it('lives on without a component that throws each time it is started', async () => {
    const { code, said } = await runCrashing('timer', '100');
    expect(code).toBe(0);
    expect(said).toMatchObject({ starts: 5, stops: 5, health: { isHealthy: false } });
  });

  it('ends when it was no component', async () => {
    expect(await runCrashing('nobody')).toEqual({ code: 70, said: undefined });
  });
});
