/** What Jaeger's API reads, from a store. */
import type { StoreClient } from '../../store/client.ts';
import type { ReadLimits } from '../../store/readers/limits.ts';
import { operationsAsSpelled, serviceNamesAndNone } from '../../store/readers/names.ts';
import { traceById } from '../../store/readers/spans.ts';
import { searchTraces } from '../../store/readers/trace-search.ts';
import { readJaegerDependencies } from '../../store/rollups/jaeger-dependencies.ts';
import { readOperationStats } from '../../store/rollups/operation-stats.ts';
import type { JaegerSource } from './source.ts';

export interface JaegerStore {
  readonly client: StoreClient;
  readonly limits: ReadLimits;
  readonly nowMs: () => number;
}

/** Binds the readers. */
export function createJaegerSource({ client, limits, nowMs }: JaegerStore): JaegerSource {
  return {
    traceById: (traceId, signal) => traceById(client, traceId, { signal, limits }),
    searchTraces: (search, options) => searchTraces(client, search, { ...options, limits, nowUs: nowMs() * 1000 }),
    serviceNames: (signal) => serviceNamesAndNone(client, { signal, limits }),
    operationsOf: (service, signal) => operationsAsSpelled(client, service, { signal, limits }),
    dependencies: (window, signal) =>
      readJaegerDependencies(client, { ...window, signal, timeoutMs: limits.timeoutMs }),
    operationStats: (query, signal) =>
      readOperationStats(client, { ...query, nowMs: nowMs(), signal, timeoutMs: limits.timeoutMs }),
  };
}
