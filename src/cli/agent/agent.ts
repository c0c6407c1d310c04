/** The agent: inputs, intake, outputs, the store and the HTTP side, put together from a configuration and taken apart again in order. */
import { hostname } from 'node:os';
import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import type { MainConfig } from '../../config/main-config.ts';
import type { Host, InputKind, OutputKind } from '../../pipeline/component.ts';
import { openDataDirectory } from '../../pipeline/data-directory.ts';
import { createIntake } from '../../pipeline/intake.ts';
import { createMeter, type Meter } from '../../pipeline/meter.ts';
import type { AccessOptions } from '../../server/access.ts';
import { type ListenerOptions, otlpPaths, zipkinPaths } from '../../server/listener.ts';
import type { KnownRoute } from '../../server/not-found.ts';
import type { ReloadOutcome } from '../../server/operating.ts';
import { createServer, type Server } from '../../server/server.ts';
import { createTargetRoutes } from '../../server/targets.ts';
import { withOutOfOrderWindow } from '../retention-limits.ts';
import { version } from '../version.ts';
import { systemClock } from './clock.ts';
import { createComponents } from './components.ts';
import { createDiscovery } from './discovery.ts';
import { startMemoryWatch } from './memory-watch.ts';
import { createOutputs } from './outputs.ts';
import { createQueryRoutes } from './query-routes.ts';
import { type AgentConfiguration, createReload, type LoadedConfiguration } from './reload.ts';
import { openStoreLink } from './store-link.ts';
import { createTargetsSource, targetsMetadata } from './targets.ts';

export interface AgentOptions {
  readonly configuration: AgentConfiguration;
  readonly log: Logger;
  /** Tells whether the agent runs in a pod of Kubernetes. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Reads the configuration anew, for a reload. */
  load(): Promise<LoadedConfiguration>;
}

export interface Agent {
  readonly urls: readonly string[];
  /** Every route that is served now. */
  routes(): readonly KnownRoute[];
  reload(): Promise<ReloadOutcome>;
  /** Stops taking in, delivers what it can until the deadline aborts, and lets go of everything; the rest stays on disk. */
  stop(deadline: AbortSignal): Promise<void>;
  /** Lays an error that nobody caught at a component's door; false when it is no component's. */
  adopt(error: unknown): boolean;
}

function parseListen(text: string): { host: string; port: number } {
  const at = text.lastIndexOf(':');
  const host = text.slice(0, at).replace(/^\[(.*)\]$/, '$1');
  return { host: host === '' ? '::' : host, port: Number(text.slice(at + 1)) };
}

function listenersOf({ http }: MainConfig): ListenerOptions[] {
  const listeners: ListenerOptions[] = [{ ...parseListen(http.listen), paths: 'all' }];
  const further = [
    ['zipkin_listen', zipkinPaths],
    ['otlp_listen', otlpPaths],
    ['otlp_grpc_listen', otlpPaths],
  ] as const;
  for (const [key, paths] of further) {
    const wanted = parseListen(http[key]);
    // One port speaks HTTP and gRPC, so that both may be given the same. Port 0 is another each time.
    const isOpen = listeners.some(
      ({ host, port, paths: served }) =>
        port === wanted.port && port !== 0 && host === wanted.host && (served === 'all' || served === paths),
    );
    if (http[key] !== '' && !isOpen) listeners.push({ ...wanted, paths, optionalKey: `[http] ${key}` });
  }
  return listeners;
}

const accessOf = ({ http }: MainConfig): AccessOptions => ({
  query: http.query,
  queryTokens: http.query_tokens.map((token) => token.reveal()),
});

/** Starts the agent; resolves when it takes data in. Rejects with one sentence when it cannot, and has then let go of everything. */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  const undo: (() => Promise<unknown>)[] = [];
  try {
    return await assemble(options, undo);
  } catch (error) {
    for (const step of undo.reverse()) {
      await step().catch((cause) => options.log.warn({ err: cause }, 'Something did not stop after a failed start.'));
    }
    throw error;
  }
}

const undoMs = 5000;

async function assemble(options: AgentOptions, undo: (() => Promise<unknown>)[]): Promise<Agent> {
  const { log, load, configuration } = options;
  const { main } = configuration;
  const clock = systemClock;
  const meter: Meter = createMeter(new Registry(), clock.nowMs);

  const dataDirectory = await openDataDirectory({ path: main.store.data_directory, log });
  undo.push(() => dataDirectory.close());
  const link = await openStoreLink({
    config: main,
    dataDirectory: dataDirectory.path,
    writer: dataDirectory.writer,
    clock,
    log,
    meter,
  });
  undo.push(() => link.stop(AbortSignal.timeout(undoMs)));

  /** One a name: a component that is started again goes on with its log, and all of them follow a changed level. */
  const logs = new Map<string, Logger>();
  const logFor = (name: string): Logger => {
    const known = logs.get(name) ?? log.child({ component: name });
    logs.set(name, known);
    return known;
  };
  const memory = startMemoryWatch({ config: main, clock, log, meter });
  undo.push(() => memory.stop());
  const hostFor = (name: string): Host => ({
    name,
    nodeName: main.node_name === '' ? hostname() : main.node_name,
    clock,
    log: logFor(name),
    meter,
    dataDirectory: dataDirectory.path,
    routes: { add: (route) => server.ingestRoutes.add(memory.guardRoute(route)) },
    positions: (prefix) => link.spool.positions(prefix),
  });
  const outputs = createOutputs({ dataDirectory, meter, hostFor });
  const intake = createIntake({
    outputs: outputs.destinations,
    store: link.destination,
    globalTags: main.global_tags,
    oldestMs: withOutOfOrderWindow(link.oldestAllowedMs, main.store, clock.nowMs),
    unsureMs: link.unsureBeforeMs,
    nowMs: clock.nowMs,
    meter,
  });
  const inputs = createComponents<InputKind<unknown>>({
    clock,
    log,
    start({ kind, name, config }) {
      return kind.start(config, hostFor(name), memory.guardAccept(intake.acceptFor(name)));
    },
  });
  const outputComponents = createComponents<OutputKind<unknown>>({ clock, log, start: outputs.start });
  const discovery = createDiscovery({
    clock,
    log,
    environment: options.environment,
    hostFor,
    acceptFor: (name) => memory.guardAccept(intake.acceptFor(name)),
  });

  const targets = createTargetsSource({ inputs, discovery });
  const startedMs = clock.nowMs();
  let loaded = { isCurrent: true, loadedMs: startedMs };

  const server: Server = createServer({
    listeners: listenersOf(main),
    access: accessOf(main),
    limits: {
      requestTimeoutMs: main.http.request_timeout,
      headersTimeoutMs: main.http.headers_timeout,
      keepAliveTimeoutMs: main.http.keep_alive_timeout,
      maxConnections: main.http.max_connections,
      bodyBytesInFlight: main.http.max_inflight,
      formBytes: main.http.body_limit,
      requestsPerSecondPerPeer: main.http.requests_per_second === 0 ? undefined : main.http.requests_per_second,
    },
    queryRoutes: [
      ...createQueryRoutes(link, main, {
        clock,
        startedMs,
        targets: () => targetsMetadata({ inputs, discovery }),
        scrapeIntervalsMs: () => targets.targets().map(({ intervalMs }) => intervalMs),
        configuration: () => loaded,
      }),
      ...createTargetRoutes(targets),
    ],
    operations: {
      readiness: [link.whyNotReady],
      health: () => [
        { component: 'store', health: link.health() },
        ...server.missing.map((line) => ({ component: 'http', health: { isHealthy: false, line } })),
        ...memory.health(),
        ...inputs.health(),
        ...discovery.health(),
        ...outputComponents.health(),
      ],
      flush: link.freshness.flush,
      reload: () => reload(),
    },
    meter,
    log,
    version,
  });

  const reloadAll = createReload({
    configuration,
    inputs,
    outputs: outputComponents,
    discovery,
    registry: meter.registry,
    log,
    load,
    apply(changed) {
      server.setAccess(accessOf(changed));
      for (const each of [log, ...logs.values()]) each.level = changed.log.level;
    },
  });

  const reload = async (): Promise<ReloadOutcome> => {
    const outcome = await reloadAll();
    const isCurrent = outcome.kind === 'applied';
    loaded = { isCurrent, loadedMs: isCurrent ? clock.nowMs() : loaded.loadedMs };
    return outcome;
  };

  undo.push(() => outputComponents.stopAll(AbortSignal.timeout(undoMs)));
  await outputComponents.startAll(configuration.outputs);
  undo.push(() => inputs.stopAll(AbortSignal.timeout(undoMs)));
  await inputs.startAll(configuration.inputs);
  undo.push(() => discovery.stopAll(AbortSignal.timeout(undoMs)));
  await discovery.apply(main);
  undo.push(() => server.stop(AbortSignal.timeout(undoMs)));
  await server.start();

  return {
    urls: server.addresses.map(({ url }) => url),
    routes: server.routes,
    reload,
    async stop(deadline) {
      await server.stop(deadline);
      await Promise.all([inputs.stopAll(deadline), discovery.stopAll(deadline)]);
      intake.close();
      await Promise.all([outputComponents.stopAll(deadline), link.stop(deadline)]);
      await memory.stop();
      await dataDirectory.close();
    },
    adopt: (error) => inputs.adopt(error) || discovery.adopt(error) || outputComponents.adopt(error),
  };
}
