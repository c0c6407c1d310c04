/** Discovery as a component of the agent: the sources of pods that the configuration names, and the scraping of what their annotations ask for. */
import { hostname } from 'node:os';
import { isSameConfig } from '../../config/diff.ts';
import type { ComponentBlock } from '../../config/load.ts';
import type { MainConfig } from '../../config/main-config.ts';
import { neededAnnotations } from '../../discovery/annotations/read-pod.ts';
import { createDirectoryPods } from '../../discovery/directory/index.ts';
import { type PodScraping, startPodScraping } from '../../inputs/prom/pods.ts';
import type { Accept } from '../../model/batch.ts';
import type { Clock, Health, Host, Running } from '../../pipeline/component.ts';
import type { PodSource } from '../../pipeline/pod-source.ts';
import { type Components, createComponents } from './components.ts';
import { kubernetesPods, wantsKubernetes } from './kubernetes-pods.ts';

/** A source under its name in status. */
export interface NamedSource {
  readonly name: string;
  readonly pods: PodSource;
}

/** What runs while discovery is on. */
export interface DiscoveryRunning extends Running {
  readonly sources: readonly NamedSource[];
  readonly scraping: PodScraping;
}

export interface Discovery {
  /** Starts, changes or ends discovery, as the configuration says; or leaves everything as it was and rejects. */
  apply(main: MainConfig): Promise<void>;
  stopAll(deadline: AbortSignal): Promise<void>;
  health(): readonly { readonly component: string; readonly health: Health }[];
  adopt(error: unknown): boolean;
  /** Undefined while it is off or being started. */
  running(): DiscoveryRunning | undefined;
}

export interface DiscoveryOptions {
  readonly clock: Clock;
  readonly log: Host['log'];
  readonly environment: Readonly<Record<string, string | undefined>>;
  hostFor(name: string): Host;
  acceptFor(name: string): Accept;
}

type DiscoveryConfig = MainConfig['discovery'] & { readonly nodeName: string };
type DiscoveryBlock = ComponentBlock<DiscoveryKind>;
interface DiscoveryKind {
  readonly type: 'discovery';
}

export const discoveryName = 'discovery';
const kind: DiscoveryKind = { type: 'discovery' };

/** Makes discovery; nothing runs before `apply`. */
export function createDiscovery(options: DiscoveryOptions): Discovery {
  const { clock, log, environment } = options;
  let current: DiscoveryBlock | undefined;
  const running = new Map<object, DiscoveryRunning>();
  const configs = new WeakMap<DiscoveryBlock, DiscoveryConfig>();

  const components: Components<DiscoveryKind> = createComponents({
    clock,
    log,
    async start(block) {
      const config = configs.get(block);
      if (config === undefined) throw new Error('discovery was started without a configuration');
      const started = await startDiscovery(config, options);
      running.set(block, started);
      return {
        health: () => started.health(),
        async stop(deadline, because) {
          running.delete(block);
          await started.stop(deadline, because);
        },
      };
    },
  });
  const blockOf = (main: MainConfig): DiscoveryBlock | undefined => {
    const { discovery } = main;
    if (discovery.directory === '' && !wantsKubernetes(discovery, environment)) return undefined;
    const nodeName = main.node_name === '' ? hostname() : main.node_name;
    const config: DiscoveryConfig = { ...discovery, nodeName };
    const block: DiscoveryBlock = { kind, name: discoveryName, config, source: '[discovery]' };
    configs.set(block, config);
    return block;
  };

  return {
    async apply(main) {
      const from = current;
      const to = blockOf(main);
      if (isSameConfig(from?.config, to?.config)) return;
      await components.apply({
        added: from === undefined && to !== undefined ? [to] : [],
        removed: from !== undefined && to === undefined ? [from] : [],
        changed: from !== undefined && to !== undefined ? [{ from, to }] : [],
        unchanged: [],
      });
      current = to;
    },
    stopAll: (deadline) => components.stopAll(deadline),
    health: () => [
      ...components.health(),
      ...[...running.values()].flatMap(({ sources }) =>
        sources.map(({ name, pods }) => ({ component: name, health: pods.health() })),
      ),
    ],
    adopt: (error) => components.adopt(error),
    running: () => [...running.values()].at(-1),
  };
}

async function startDiscovery(config: DiscoveryConfig, options: DiscoveryOptions): Promise<DiscoveryRunning> {
  const sources: NamedSource[] = [];
  const stopSources = async (deadline: AbortSignal) => {
    await Promise.all(sources.map(({ pods }) => pods.stop(deadline)));
  };
  const nodeName = config.node === '' ? config.nodeName : config.node;
  const { environment } = options;
  const add = (name: string, create: (shared: SourceShare) => PodSource) => {
    const { clock, log, meter } = options.hostFor(name);
    sources.push({ name, pods: create({ name, keptAnnotations: neededAnnotations, clock, log, meter }) });
  };
  try {
    if (config.directory !== '') {
      const given = { path: config.directory, nodeName: nodeName === '*' ? config.nodeName : nodeName };
      add('discovery.directory', (shared) => createDirectoryPods({ ...shared, ...given }));
    }
    if (wantsKubernetes(config, environment)) {
      add('discovery.kubernetes', (shared) =>
        kubernetesPods({
          ...shared,
          kubeconfig: config.kubeconfig,
          environment,
          nodeName: nodeName === '*' ? '' : nodeName,
        }),
      );
    }
    const scraping = await startPodScraping({
      sources: sources.map(({ pods }) => pods),
      host: options.hostFor(discoveryName),
      accept: options.acceptFor(discoveryName),
      annotations: config.annotations,
      maxTargets: config.max_targets,
    });
    return {
      sources,
      scraping,
      health: () => scraping.health(),
      async stop(deadline, because) {
        await Promise.all([scraping.stop(deadline, because), stopSources(deadline)]);
      },
    };
  } catch (error) {
    await stopSources(AbortSignal.timeout(5_000));
    throw error;
  }
}

type SourceShare = Pick<
  Parameters<typeof createDirectoryPods>[0],
  'name' | 'keptAnnotations' | 'clock' | 'log' | 'meter'
>;
