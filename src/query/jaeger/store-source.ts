/** What Jaeger's API reads, from a store. */
import type { StoreClient } from '../../store/client.ts';
import type { ReadLimits } from '../../store/readers/limits.ts';
import { operationsAsSpelled, serviceNamesAndNone } from '../../store/readers/names.ts';
import { traceById } from '../../store/readers/spans.ts';
import { searchTraces } from '../../store/readers/trace-search.ts';
import { JaegerRefusal } from './answers.ts';
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
    dependencies: () => Promise.reject(new JaegerRefusal(501, 'dependencies are not read yet')),
    operationStats: () => Promise.reject(new JaegerRefusal(501, 'metrics querying is currently disabled')),
  };
}
