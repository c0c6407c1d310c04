/** The running inputs or outputs: started from their blocks, exchanged by a reload, started again when they fail. */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Logger } from 'pino';
import type { BlocksDiff } from '../../config/diff.ts';
import type { ComponentBlock } from '../../config/load.ts';
import type { Clock, Health, Running } from '../../pipeline/component.ts';

export interface ComponentsOptions<Kind> {
  readonly clock: Clock;
  readonly log: Logger;
  start(block: ComponentBlock<Kind>): Promise<Running>;
}

interface Component<Kind> {
  block: ComponentBlock<Kind>;
  /** Undefined while it starts, and when it is off. */
  running: Running | undefined;
  /** An error that nobody caught while it was being started; it counts once the start is over. */
  early: { readonly error: unknown } | undefined;
  /** A start that is under way. */
  starting: Promise<void> | undefined;
  /** The stop and new start that follow a failure. */
  restarting: Promise<void> | undefined;
  /** When it failed, by the monotonic clock; the last minute's. */
  failures: number[];
  lastFailure: string | undefined;
  /** Aborted when it was removed or the agent stops: what is being started then is stopped at once, and no further start begins. */
  readonly gone: AbortController;
}

export interface Components<Kind> {
  startAll(blocks: readonly ComponentBlock<Kind>[]): Promise<void>;
  /** Applies a reload's difference whole, or puts everything back and rejects. */
  apply(diff: BlocksDiff<Kind>): Promise<void>;
  stopAll(deadline: AbortSignal): Promise<void>;
  health(): readonly { readonly component: string; readonly health: Health }[];
  /** Those that run now, with their blocks. */
  running(): readonly { readonly block: ComponentBlock<Kind>; readonly running: Running }[];
  /** Whether the error was thrown by one of these, or by one that is gone; the component is then started again, and the error is dealt with. */
  adopt(error: unknown): boolean;
}

/** After so many failures within a minute a component stays off until the next reload. */
const maxFailuresPerMinute = 5;
const firstRestartMs = 500;
const stopForReloadMs = 5_000;

/** Which component the code that runs belongs to, so that an error nobody caught can be laid at its door. */
const current = new AsyncLocalStorage<object>();

function whyNotRunning<Kind>({ failures, lastFailure }: Component<Kind>): string {
  if (failures.length === 0) return 'is being started';
  const state =
    failures.length < maxFailuresPerMinute
      ? 'failed and is started again'
      : 'failed too often and is off until the next reload';
  return `${state}: ${lastFailure}`;
}

/** What keeps to a deadline has its files to close when it has passed. */
const graceMs = 2_000;

/** Whether it is over by the deadline, or a moment after. */
function isInTime(work: Promise<unknown>, deadline: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    let timer: NodeJS.Timeout | undefined;
    const onDeadline = () => {
      timer = setTimeout(() => resolve(false), graceMs);
    };
    if (deadline.aborted) onDeadline();
    else deadline.addEventListener('abort', onDeadline, { once: true });
    void work.finally(() => {
      deadline.removeEventListener('abort', onDeadline);
      clearTimeout(timer);
      resolve(true);
    });
  });
}

/** Makes an empty set of components. */
export function createComponents<Kind>(options: ComponentsOptions<Kind>): Components<Kind> {
  const { clock, log } = options;
  const components = new Map<ComponentBlock<Kind>, Component<Kind>>();
  /** Those that are gone too: a timer that they forgot must not end the process. */
  const everStarted = new WeakMap<object, Component<Kind>>();
  const stopping = new AbortController();

  const launch = async (component: Component<Kind>): Promise<void> => {
    component.early = undefined;
    const running = await current.run(component, () => options.start(component.block));
    if (component.gone.signal.aborted) return end(component, running, AbortSignal.timeout(stopForReloadMs));
    component.running = running;
  };

  /** Stops one life of a component. What a stop throws is said; it keeps nobody else from being stopped. */
  const end = (
    { block }: Component<Kind>,
    running: Running | undefined,
    ...how: Parameters<Running['stop']>
  ): Promise<void> =>
    running
      ?.stop(...how)
      .catch((error) => log.warn({ err: error, component: block.name }, 'It did not stop in order.')) ??
    Promise.resolve();

  /** Ends a component for good. Until the start or restart that is under way is over, it still has its files open. */
  const endForGood = async (component: Component<Kind>, ...how: Parameters<Running['stop']>): Promise<void> => {
    component.gone.abort(new Error(`${component.block.name} is being stopped`));
    const ended = Promise.allSettled([
      end(component, component.running, ...how),
      component.starting,
      component.restarting,
    ]);
    if (!(await isInTime(ended, how[0])))
      log.error({ component: component.block.name }, 'It did not stop in time; what it has open stays open.');
  };

  const register = (block: ComponentBlock<Kind>): Component<Kind> => {
    const component: Component<Kind> = {
      block,
      running: undefined,
      early: undefined,
      starting: undefined,
      restarting: undefined,
      failures: [],
      lastFailure: undefined,
      gone: new AbortController(),
    };
    if (stopping.signal.aborted) component.gone.abort(stopping.signal.reason);
    components.set(block, component);
    everStarted.set(component, component);
    return component;
  };

  const start = async (block: ComponentBlock<Kind>): Promise<void> => {
    const component = register(block);
    component.starting = launch(component);
    try {
      await component.starting;
    } catch (error) {
      component.gone.abort(error);
      components.delete(block);
      throw error;
    } finally {
      component.starting = undefined;
    }
    if (component.early !== undefined) fail(component, component.early.error);
  };

  const stop = async (block: ComponentBlock<Kind>, ...how: Parameters<Running['stop']>): Promise<void> => {
    const component = components.get(block);
    if (component === undefined) return;
    components.delete(block);
    await endForGood(component, ...how);
  };

  const restart = async (component: Component<Kind>, delayMs: number): Promise<void> => {
    const old = component.running;
    component.running = undefined;
    await end(component, old, AbortSignal.timeout(stopForReloadMs));
    await clock.sleep(delayMs, component.gone.signal);
    await launch(component);
    if (component.running !== undefined) log.info({ component: component.block.name }, 'The component runs again.');
  };

  const fail = (component: Component<Kind>, error: unknown): void => {
    const { name } = component.block;
    component.lastFailure = error instanceof Error ? error.message : String(error);
    if (component.gone.signal.aborted || component.restarting !== undefined) {
      // What is left of a life that is over: more of the same error must neither count nor start it twice.
      log.warn({ err: error, component: name }, 'A component that was stopped failed once more.');
      return;
    }
    const nowMs = clock.monotonicMs();
    component.failures = [...component.failures.filter((atMs) => nowMs - atMs < 60_000), nowMs];
    if (component.failures.length >= maxFailuresPerMinute) {
      log.error({ err: error, component: name }, 'A component failed too often; it stays off until the next reload.');
      const old = component.running;
      component.running = undefined;
      component.restarting = end(component, old, AbortSignal.timeout(stopForReloadMs));
      return;
    }
    log.error({ err: error, component: name }, 'A component failed; it is started again.');
    const delayMs = firstRestartMs * 2 ** (component.failures.length - 1);
    component.restarting = restart(component, delayMs).then(
      () => {
        component.restarting = undefined;
        if (component.early !== undefined) fail(component, component.early.error);
      },
      (cause) => {
        component.restarting = undefined;
        if (!component.gone.signal.aborted) fail(component, cause);
      },
    );
  };

  /** Puts back what a reload that failed had stopped; what does not start again is started once more in a moment, as after any failure. */
  const putBack = async (blocks: readonly ComponentBlock<Kind>[]): Promise<void> => {
    for (const block of blocks) {
      try {
        await start(block);
      } catch (error) {
        fail(register(block), error);
      }
    }
  };

  return {
    async startAll(blocks) {
      for (const block of blocks) await start(block);
    },
    async apply({ added, removed, changed, unchanged }) {
      const deadline = AbortSignal.timeout(stopForReloadMs);
      const leaving = [...removed, ...changed.map(({ from }) => from)];
      const arriving = [...added, ...changed.map(({ to }) => to)];
      for (const block of leaving) await stop(block, deadline, 'removed');
      const started: ComponentBlock<Kind>[] = [];
      try {
        for (const block of arriving) {
          await start(block);
          started.push(block);
        }
      } catch (error) {
        for (const block of started) await stop(block, AbortSignal.timeout(stopForReloadMs), 'removed');
        await putBack(leaving);
        throw error;
      }
      for (const { from, to } of unchanged) {
        const component = components.get(from);
        if (component === undefined) continue;
        components.delete(from);
        component.block = to;
        components.set(to, component);
      }
    },
    async stopAll(deadline) {
      stopping.abort(new Error('the agent is stopping'));
      const all = [...components.values()];
      await Promise.all(all.map((component) => endForGood(component, deadline, 'shutdown')));
      components.clear();
    },
    health: () =>
      [...components.values()].map((component) => ({
        component: component.block.name,
        health: component.running?.health() ?? { isHealthy: false, line: whyNotRunning(component) },
      })),
    running: () =>
      [...components.values()].flatMap(({ block, running }) => (running === undefined ? [] : [{ block, running }])),
    adopt(error) {
      const running = current.getStore();
      const component = running && everStarted.get(running);
      if (component === undefined) return false;
      const isStarting =
        component.running === undefined &&
        !component.gone.signal.aborted &&
        component.failures.length < maxFailuresPerMinute;
      if (isStarting) {
        log.warn({ err: error, component: component.block.name }, 'A component failed while it was being started.');
        component.early ??= { error };
      } else fail(component, error);
      return true;
    },
  };
}
