/** Takes over a new configuration whole, or keeps the old one and says why. */
import type { Logger } from 'pino';
import { Gauge, type Registry } from 'prom-client';
import { type BlocksDiff, diffConfigurations } from '../../config/diff.ts';
import type { ComponentBlock, ComponentKind, Configuration, Loaded, Section } from '../../config/load.ts';
import type { MainConfig } from '../../config/main-config.ts';
import { formatProblem } from '../../config/problem.ts';
import type { InputKind, OutputKind } from '../../pipeline/component.ts';
import type { ReloadOutcome } from '../../server/operating.ts';
import type { Components } from './components.ts';
import type { Discovery } from './discovery.ts';

export type AgentConfiguration = Configuration<InputKind<unknown>, OutputKind<unknown>>;
export type LoadedConfiguration = Loaded<InputKind<unknown>, OutputKind<unknown>>;

export interface ReloadOptions {
  /** What runs at first. */
  readonly configuration: AgentConfiguration;
  readonly inputs: Components<InputKind<unknown>>;
  readonly outputs: Components<OutputKind<unknown>>;
  readonly discovery: Pick<Discovery, 'apply'>;
  readonly registry: Registry;
  readonly log: Logger;
  /** Reads the configuration anew. */
  load(): Promise<LoadedConfiguration>;
  /** Takes over the keys of the main file that a running agent can. */
  apply(main: MainConfig): void;
}

/** Keys of the main file that a running agent can take over; the others need a restart. */
const reloadableKeys: ReadonlySet<string> = new Set(['http.query', 'http.query_tokens', 'log.level']);

/** Whether a key of the main file, such as `http.query`, takes effect without a restart. */
export const isReloadable = (key: string): boolean => reloadableKeys.has(key) || key.startsWith('discovery.');

const kept = (...problems: readonly string[]): ReloadOutcome => ({ kind: 'kept_old', problems });

/** The way back. */
const inverse = <Kind>({ added, removed, changed, unchanged }: BlocksDiff<Kind>): BlocksDiff<Kind> => ({
  added: removed,
  removed: added,
  changed: changed.map(({ from, to }) => ({ from: to, to: from })),
  unchanged: unchanged.map(({ from, to }) => ({ from: to, to: from })),
});

/**
 * The new blocks under the names that they run by: what is counted under a name must not become another block's because a file was
 * added before it. What is new gets a name that is free.
 */
function keepNames<Kind extends ComponentKind>(
  blocks: readonly ComponentBlock<Kind>[],
  section: Section,
  { changed, unchanged }: BlocksDiff<Kind>,
): readonly ComponentBlock<Kind>[] {
  const names = new Map([...changed, ...unchanged].map(({ from, to }) => [to, from.name]));
  const taken = new Set(names.values());
  return blocks.map((block) => {
    let name = names.get(block) ?? `${section}.${block.kind.type}`;
    for (let number = 2; !names.has(block) && taken.has(name); number++)
      name = `${section}.${block.kind.type}#${number}`;
    taken.add(name);
    return { ...block, name };
  });
}

function describeBlocks({ added, removed, changed }: BlocksDiff<unknown>): string[] {
  return [
    ...added.map(({ name }) => `started ${name}`),
    ...removed.map(({ name }) => `stopped ${name}`),
    ...changed.map(({ to }) => `changed ${to.name}`),
  ];
}

interface Step {
  go(): Promise<void>;
  back(): Promise<void>;
}

/** Goes all steps, or those that were gone back again; a step that rejects has put everything back itself. */
async function applyAll(steps: readonly Step[]): Promise<void> {
  const gone: Step[] = [];
  try {
    for (const step of steps) {
      await step.go();
      gone.push(step);
    }
  } catch (error) {
    for (const step of gone.reverse()) await step.back();
    throw error;
  }
}

/** Makes the function that reloads. Of calls while one is at work, all but the next share that next one: the last state of the files wins. */
export function createReload(options: ReloadOptions): () => Promise<ReloadOutcome> {
  const { inputs, outputs, discovery, log } = options;
  let { configuration } = options;
  const successful = new Gauge({
    name: 'trawl_config_last_reload_successful',
    help: 'Whether the last reload was applied: 1, or 0 when the old configuration was kept.',
    registers: [options.registry],
  });
  successful.set(1);

  const exchange = async (read: AgentConfiguration): Promise<ReloadOutcome> => {
    const paired = diffConfigurations(configuration, read);
    const loaded: AgentConfiguration = {
      main: read.main,
      inputs: keepNames(read.inputs, 'inputs', paired.inputs),
      outputs: keepNames(read.outputs, 'outputs', paired.outputs),
    };
    const diff = diffConfigurations(configuration, loaded);
    const fixed = diff.mainKeys.filter((key) => !isReloadable(key));
    if (fixed.length > 0)
      return kept(`${fixed.join(', ')} cannot change while the agent runs: restart it, or put the old value back`);
    const before = configuration.main;
    await applyAll([
      { go: () => outputs.apply(diff.outputs), back: () => outputs.apply(inverse(diff.outputs)) },
      { go: () => discovery.apply(loaded.main), back: () => discovery.apply(before) },
      { go: () => inputs.apply(diff.inputs), back: () => inputs.apply(inverse(diff.inputs)) },
    ]);
    configuration = loaded;
    options.apply(loaded.main);
    const changes = [...describeBlocks(diff.outputs), ...describeBlocks(diff.inputs)];
    return { kind: 'applied', changes: [...changes, ...diff.mainKeys.map((key) => `changed ${key}`)] };
  };

  const reloadOnce = async (): Promise<ReloadOutcome> => {
    let outcome: ReloadOutcome;
    try {
      const loaded = await options.load();
      outcome = loaded.ok ? await exchange(loaded.configuration) : kept(...loaded.problems.map(formatProblem));
    } catch (error) {
      outcome = kept(error instanceof Error ? error.message : String(error));
    }
    successful.set(outcome.kind === 'applied' ? 1 : 0);
    if (outcome.kind === 'applied') log.info({ changes: outcome.changes }, 'The new configuration is applied.');
    else log.warn({ problems: outcome.problems }, 'The new configuration is not applied; the old one stays.');
    return outcome;
  };

  let running: Promise<unknown> = Promise.resolve();
  let next: Promise<ReloadOutcome> | undefined;
  return () => {
    next ??= running.then(() => {
      next = undefined;
      const reloading = reloadOnce();
      running = reloading;
      return reloading;
    });
    return next;
  };
}
