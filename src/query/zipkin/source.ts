/** What Zipkin's API reads, over a store. */
import type { StoreClient } from '../../store/client.ts';
import type { ReadLimits } from '../../store/readers/limits.ts';
import { operationsOf, remoteServiceNames, serviceNames, tagValues } from '../../store/readers/names.ts';
import { traceById } from '../../store/readers/spans.ts';
import { searchTraces, tracesByIds } from '../../store/readers/trace-search.ts';
import { readDependencies } from '../../store/rollups/dependencies.ts';
import type { SearchGate } from '../search-gate.ts';
import type { ZipkinSource } from './index.ts';

/** Binds the store's readers to a client. `searches` is shared by all dialects. */
export function createZipkinSource(options: {
  readonly client: StoreClient;
  readonly limits: ReadLimits;
  readonly searches: SearchGate;
  readonly nowMs: () => number;
}): ZipkinSource {
  const { client, limits, searches, nowMs } = options;
  return {
    traceById: (traceId, signal) => traceById(client, traceId, { signal, limits }),
    tracesByIds: (ids, signal) => searches.pass(signal, () => tracesByIds(client, ids, { signal, limits })),
    search: (search, asked) =>
      searches.pass(asked.signal, () => searchTraces(client, search, { ...asked, nowUs: nowMs() * 1000, limits })),
    serviceNames: (signal) => serviceNames(client, { signal, limits }),
    async operationNames(service, signal) {
      const operations = await operationsOf(client, service, { signal, limits });
      return operations.map(({ name }) => name);
    },
    remoteServiceNames: (service, signal) => remoteServiceNames(client, service, { signal, limits }),
    dependencies: (window, signal) => readDependencies(client, { ...window, signal, timeoutMs: limits.timeoutMs }),
    tagValues: (key, signal) => tagValues(client, key, { signal, limits }),
  };
}
