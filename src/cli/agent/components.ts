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
  /** Undefined while it is being started again after a failure. */
  running: Running | undefined;
  /** When it failed, by the monotonic clock; the last minute's. */
  failures: number[];
  lastFailure: string | undefined;
  isGone: boolean;
}

export interface Components<Kind> {
  startAll(blocks: readonly ComponentBlock<Kind>[]): Promise<void>;
  /** Applies a reload's difference whole, or puts everything back and rejects. */
  apply(diff: BlocksDiff<Kind>): Promise<void>;
  stopAll(deadline: AbortSignal): Promise<void>;
  health(): readonly { readonly component: string; readonly health: Health }[];
  /** Whether the error was thrown by one of these; it is then started again, and the error is dealt with. */
  adopt(error: unknown): boolean;
}

/** After so many failures within a minute a component stays off until the next reload. */
const maxFailuresPerMinute = 5;
const firstRestartMs = 500;
const stopForReloadMs = 5_000;

/** Which component the code that runs belongs to, so that an error nobody caught can be laid at its door. */
const current = new AsyncLocalStorage<object>();

/** Makes an empty set of components. */
export function createComponents<Kind>(options: ComponentsOptions<Kind>): Components<Kind> {
  const { clock, log } = options;
  const components = new Map<ComponentBlock<Kind>, Component<Kind>>();
  const stopping = new AbortController();

  const start = async (block: ComponentBlock<Kind>): Promise<void> => {
    const component: Component<Kind> = {
      block,
      running: undefined,
      failures: [],
      lastFailure: undefined,
      isGone: false,
    };
    component.running = await current.run(component, () => options.start(block));
    components.set(block, component);
  };

  const stop = async (block: ComponentBlock<Kind>, deadline: AbortSignal): Promise<void> => {
    const component = components.get(block);
    if (component === undefined) return;
    component.isGone = true;
    components.delete(block);
    await component.running?.stop(deadline, 'removed');
  };

  const restart = async (component: Component<Kind>): Promise<void> => {
    const old = component.running;
    component.running = undefined;
    await old
      ?.stop(AbortSignal.timeout(stopForReloadMs))
      .catch((error) => log.warn({ err: error }, 'A failed component did not stop.'));
    const delayMs = firstRestartMs * 2 ** (component.failures.length - 1);
    await clock.sleep(delayMs, stopping.signal);
    if (component.isGone) return;
    component.running = await current.run(component, () => options.start(component.block));
    log.info({ component: component.block.name }, 'The component runs again.');
  };

  const fail = (component: Component<Kind>, error: unknown): void => {
    const nowMs = clock.monotonicMs();
    component.failures = [...component.failures.filter((atMs) => nowMs - atMs < 60_000), nowMs];
    component.lastFailure = error instanceof Error ? error.message : String(error);
    const isOff = component.failures.length >= maxFailuresPerMinute;
    log.error(
      { err: error, component: component.block.name },
      isOff ? 'A component failed too often; it stays off.' : 'A component failed; it is started again.',
    );
    if (isOff) {
      const old = component.running;
      component.running = undefined;
      void old
        ?.stop(AbortSignal.timeout(stopForReloadMs))
        .catch((cause) => log.warn({ err: cause }, 'A failed component did not stop.'));
      return;
    }
    void restart(component).catch((cause) => {
      if (!stopping.signal.aborted) fail(component, cause);
    });
  };

  return {
    async startAll(blocks) {
      for (const block of blocks) await start(block);
    },
    async apply({ added, removed, changed, unchanged }) {
      const deadline = AbortSignal.timeout(stopForReloadMs);
      const leaving = [...removed, ...changed.map(({ from }) => from)];
      const arriving = [...added, ...changed.map(({ to }) => to)];
      for (const block of leaving) await stop(block, deadline);
      const started: ComponentBlock<Kind>[] = [];
      try {
        for (const block of arriving) {
          await start(block);
          started.push(block);
        }
      } catch (error) {
        for (const block of started) await stop(block, AbortSignal.timeout(stopForReloadMs));
        for (const block of leaving) await start(block);
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
      await Promise.all([...components.values()].map(({ running }) => running?.stop(deadline, 'shutdown')));
      components.clear();
    },
    health: () =>
      [...components.values()].map(({ block, running, lastFailure }) => ({
        component: block.name,
        health: running?.health() ?? {
          isHealthy: false,
          line: `failed and is off: ${lastFailure ?? 'it never started'}`,
        },
      })),
    adopt(error) {
      const component = [...components.values()].find((candidate) => candidate === current.getStore());
      if (component === undefined) return false;
      fail(component, error);
      return true;
    },
  };
}
