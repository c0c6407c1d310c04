import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  createFakeClock,
  createFakeHost,
  createFakeIntake,
  type FakeClock,
  type FakeHost,
  type FakeIntake,
  until,
} from '../../../test/fixtures/fake-host.ts';
import type { Outcome } from '../../model/batch.ts';
import { labelValue } from '../../model/sample.ts';
import { type Connections, createConnections } from './connections.ts';
import { promInput } from './index.ts';
import { createScraperSet, type ScraperSet } from './scraper-set.ts';
import { createTargets, type Target } from './target.ts';

let host: FakeHost<FakeClock>;
let set: ScraperSet;
let connections: Connections;
let intake: FakeIntake;
let outcomes: Outcome[];
let hanging: ServerResponse[];
let requests: string[];
let origin = '';
const server = createServer((request, response) => {
  requests.push(request.url ?? '');
  if (request.url === '/hanging') hanging.push(response);
  else response.end('a 1\n');
});

beforeEach(async () => {
  hanging = [];
  requests = [];
  outcomes = [];
  host = createFakeHost({ clock: createFakeClock(), name: 'inputs.prom' });
  intake = createFakeIntake(undefined, () => outcomes.shift() ?? { kind: 'kept' });
  connections = createConnections();
  set = createScraperSet({ host, accept: intake.accept, connections, agentNumber: 'a' });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  await set.stop(AbortSignal.timeout(5000), 'shutdown');
  await connections.close();
  host.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function target(path: string, config: Record<string, unknown> = {}): Target {
  const parsed = promInput.config.parse({ urls: [origin + path], interval: '10s', ...config });
  const [made] = createTargets(parsed, { origin: 'test' });
  if (made?.kind !== 'target') throw new Error('no target');
  return made.target;
}

const shown = () =>
  intake.kept.flatMap((batch) =>
    batch.signal !== 'samples'
      ? []
      : batch.items.flatMap(({ series, samples }) =>
          samples.map(({ isStale }) => `${labelValue(series, '__name__')}${isStale ? ' ended' : ''}`),
        ),
  );

async function scrapeOnce() {
  const before = intake.kept.length;
  await host.clock.advance(10_000);
  await until('a scrape is kept', () => intake.kept.length > before);
}

describe('a set of scrapers', () => {
  it('ends the series of a target that is removed at once, those about the scrape too, and scrapes it no more', async () => {
    set.put('one', target('/one'));
    await scrapeOnce();
    set.remove('one');
    set.remove('unknown');
    await until('the markers are kept', () => intake.kept.length === 2);
    expect(shown().filter((one) => one.endsWith('ended'))).toEqual([
      'a ended',
      'up ended',
      'scrape_duration_seconds ended',
      'scrape_samples_scraped ended',
      'scrape_samples_post_metric_relabeling ended',
      'scrape_series_added ended',
    ]);
    expect(set.status()).toEqual([]);
    await host.clock.advance(60_000);
    expect(requests).toEqual(['/one']);
  });

  it('cuts a scrape off that is under way when its target is removed', async () => {
    set.put('one', target('/hanging'));
    await host.clock.advance(10_000);
    await until('it is asked', () => hanging.length === 1);
    const closed = new Promise<void>((resolve) => hanging[0]?.once('close', () => resolve()));
    set.remove('one');
    await closed;
    expect(intake.offered).toEqual([]);
  });

  it('goes on with a target that is put again unchanged, and replaces one that has changed', async () => {
    set.put('one', target('/one'));
    await scrapeOnce();
    set.put('one', target('/one'));
    await host.clock.advance(0);
    expect(shown().filter((one) => one.endsWith('ended'))).toEqual([]);
    set.put('one', target('/one', { tags: { team: 'mesh' } }));
    await until('the series of the one before have ended', () => shown().includes('a ended'));
    await scrapeOnce();
    expect(set.status()).toMatchObject([{ key: 'one', health: 'up', labels: { team: 'mesh' } }]);
    expect(requests).toEqual(['/one', '/one']);
  });

  it('offers the markers of a removed target again until they are kept', async () => {
    set.put('one', target('/one'));
    await scrapeOnce();
    outcomes = [
      { kind: 'retry', cause: new Error('full') },
      { kind: 'retry', afterMs: 500, cause: new Error('full') },
    ];
    set.remove('one');
    await until('they are refused', () => outcomes.length === 1);
    await host.clock.advance(1000);
    await until('they are refused again', () => outcomes.length === 0);
    await host.clock.advance(500);
    await until('they are kept', () => shown().includes('a ended'));
    expect(host.lost()).toBe(0);
  });

  it('writes no markers at shutdown, and takes no targets after it', async () => {
    set.put('one', target('/one'));
    set.put('two', target('/two'));
    await scrapeOnce();
    await until('both are kept', () => intake.kept.length === 2);
    await set.stop(AbortSignal.timeout(1000), 'shutdown');
    set.put('three', target('/three'));
    expect(shown().filter((one) => one.endsWith('ended'))).toEqual([]);
    expect(set.status()).toHaveLength(2);
  });
});
