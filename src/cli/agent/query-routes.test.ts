import { describe, expect, it } from 'vitest';
import { mainConfig } from '../../config/main-config.ts';
import { type StoreClient, StoreError } from '../../store/client.ts';
import { createLabelCache } from '../../store/readers/label-cache.ts';
import { createQueryRoutes } from './query-routes.ts';

type Settings = Readonly<Record<string, string | number>>;

/** A store that notes what it is asked with, and fails. */
function createNotingClient() {
  const noted: Settings[] = [];
  const note = ({ settings = {} }: { readonly settings?: Settings }) => {
    noted.push(settings);
    return Promise.reject(new StoreError('this store answers nothing', { isRetryable: false }));
  };
  const nothing = () => Promise.resolve();
  const client: StoreClient = { rows: note, bytes: note, command: nothing, insert: nothing, close: nothing };
  return { client, noted };
}

describe('query routes', () => {
  it('ask the store within the limits of the configuration, whatever the dialect', async () => {
    const { client, noted } = createNotingClient();
    const limits = { max_memory: '64MiB', max_rows_to_read: 12_345, max_result_bytes: '3MiB' };
    const link = {
      client,
      labels: createLabelCache(),
      recent: undefined,
      freshness: { flush: async () => {}, freshen: async () => {}, isCurrent: () => true },
      whyNotReady: () => undefined,
      whyBehind: () => undefined,
    };
    const routes = createQueryRoutes(link, mainConfig.parse({ query: limits }), {
      clock: { nowMs: Date.now, monotonicMs: () => performance.now(), sleep: async () => {} },
      targets: () => [],
      startedMs: 0,
      scrapeIntervalsMs: () => [],
      configuration: () => ({ isCurrent: true, loadedMs: 0 }),
    });
    for (const path of ['/api/v1/query?query=up', '/api/v1/labels', '/api/v2/services', '/api/v2/trace/:id']) {
      const url = new URL(path, 'http://agent');
      const before = noted.length;
      await routes
        .find(({ method, path: own }) => method === 'GET' && own === url.pathname)
        ?.handle({
          params: { id: '1'.repeat(32) },
          query: url.searchParams,
          form: undefined,
          signal: new AbortController().signal,
        })
        .catch(() => undefined);
      expect(noted.length, path).toBeGreaterThan(before);
    }
    for (const settings of noted) {
      expect(settings).toMatchObject({
        max_memory_usage: 67_108_864,
        max_rows_to_read: 12_345,
        max_result_bytes: 3_145_728,
      });
    }
  });
});
