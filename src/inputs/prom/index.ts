/** Scrapes Prometheus expositions from fixed addresses. */
import type { Accept } from '../../model/batch.ts';
import type { Health, Host, InputKind, Running } from '../../pipeline/component.ts';
import type { TargetStatus } from '../../pipeline/target-status.ts';
import { readAgentNumber } from './agent-number.ts';
import { type PromInputConfig, promInputConfig } from './config.ts';
import { connectionRules, createConnections } from './connections.ts';
import { createScraperSet, type TargetMetadata } from './scraper-set.ts';
import { createTargets, type MadeTarget } from './target.ts';

export interface PromRunning extends Running {
  /** Each target and what its last scrape came to. */
  targets(): readonly TargetStatus[];
  /** What the last page of each said of its metrics. */
  metadata(): readonly TargetMetadata[];
  /** Addresses that are not scraped, and why. */
  leftOut(): readonly Exclude<MadeTarget, { kind: 'target' }>[];
}

/** One line about targets: the first that is down, or how many are up. */
export function describeHealth(targets: readonly TargetStatus[]): Health {
  const down = targets.filter(({ health }) => health === 'down');
  const up = targets.filter(({ health }) => health === 'up').length;
  const [first] = down;
  if (first !== undefined) {
    return {
      isHealthy: false,
      line: `${down.length} of ${targets.length} targets down; ${first.lastError ?? first.url}`,
    };
  }
  return { isHealthy: true, line: `${up} of ${targets.length} targets up` };
}

async function start(config: PromInputConfig, host: Host, accept: Accept): Promise<PromRunning> {
  const agentNumber = await readAgentNumber(host.dataDirectory);
  const connections = createConnections();
  // What a block names and cannot be read is said at the start rather than at the first scrape.
  await connections.open(connectionRules(config));
  const set = createScraperSet({
    host,
    accept,
    connections,
    agentNumber,
    totalBodyLimitBytes: config.total_body_size_limit,
  });
  const made = createTargets(config, { origin: host.name });
  for (const one of made) if (one.kind === 'target') set.put(one.target.url.href, one.target);
  let stopped: Promise<void> | undefined;
  const leftOut = made.filter((one) => one.kind !== 'target');

  return {
    stop: (deadline, because = 'shutdown') => {
      stopped ??= set.stop(deadline, because).finally(() => connections.close());
      return stopped;
    },
    health: () => describeHealth(set.status()),
    targets: () => set.status(),
    metadata: () => set.metadata(),
    leftOut: () => leftOut,
  };
}

/** `[[inputs.prom]]`. */
export const promInput = {
  type: 'prom',
  summary: 'Scrapes metrics in the text format of Prometheus from fixed addresses.',
  config: promInputConfig,
  start,
} satisfies InputKind<PromInputConfig>;
