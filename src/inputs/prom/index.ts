/** Scrapes Prometheus expositions from fixed addresses. */
import type { Accept } from '../../model/batch.ts';
import type { Health, Host, InputKind, Running, StopReason } from '../../pipeline/component.ts';
import { readAgentNumber } from './agent-number.ts';
import { type PromInputConfig, promInputConfig } from './config.ts';
import { createPageReader } from './page.ts';
import { createScraper, type Scraper, type TargetStatus } from './scraper.ts';
import { createTargets, openDispatcher } from './target.ts';

export type { TargetStatus } from './scraper.ts';

export interface PromRunning extends Running {
  /** Each target and what its last scrape came to. */
  targets(): readonly TargetStatus[];
}

function describeHealth(targets: readonly TargetStatus[]): Health {
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

/** Waits for `work`, but no longer than `deadline`. */
async function within(work: Promise<unknown>, deadline: AbortSignal): Promise<void> {
  if (deadline.aborted) return;
  await new Promise<void>((resolve, reject) => {
    const giveUp = () => resolve();
    deadline.addEventListener('abort', giveUp, { once: true });
    work.then(() => resolve(), reject).finally(() => deadline.removeEventListener('abort', giveUp));
  });
}

async function start(config: PromInputConfig, host: Host, accept: Accept): Promise<PromRunning> {
  const agentNumber = await readAgentNumber(host.dataDirectory);
  const dispatcher = await openDispatcher(config);
  const stopping = new AbortController();
  const giving = new AbortController();
  const scrapers: readonly Scraper[] = createTargets(config).map((target) =>
    createScraper({
      target,
      host,
      accept,
      acceptSignal: giving.signal,
      dispatcher,
      agentNumber,
      parse: createPageReader(),
    }),
  );
  const running = Promise.all(scrapers.map((scraper) => scraper.run(stopping.signal)));
  let stopped: Promise<void> | undefined;

  const stop = async (deadline: AbortSignal, because: StopReason) => {
    stopping.abort(new Error('the input stops'));
    const giveUp = () => giving.abort(new Error('the deadline of the stop has passed'));
    if (deadline.aborted) giveUp();
    else deadline.addEventListener('abort', giveUp, { once: true });
    const ended = running.then(async () => {
      if (because === 'removed') await Promise.all(scrapers.map((scraper) => scraper.markEnded()));
    });
    await within(ended, deadline);
    deadline.removeEventListener('abort', giveUp);
    await dispatcher.destroy();
  };

  return {
    stop: (deadline, because = 'shutdown') => {
      stopped ??= stop(deadline, because);
      return stopped;
    },
    health: () => describeHealth(scrapers.map((scraper) => scraper.status())),
    targets: () => scrapers.map((scraper) => scraper.status()),
  };
}

/** `[[inputs.prom]]`. */
export const promInput = {
  type: 'prom',
  summary: 'Scrapes metrics in the text format of Prometheus from fixed addresses.',
  config: promInputConfig,
  start,
} satisfies InputKind<PromInputConfig>;
