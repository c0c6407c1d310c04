/** All query routes over one store, for whoever mounts them. */
import type { StoreClient } from '../store/client.ts';
import { readLogs } from '../store/readers/logs.ts';
import { readSamples } from '../store/readers/samples.ts';
import { serviceNames, traceById } from '../store/readers/spans.ts';
import { createLokiRoutes } from './loki/index.ts';
import { createPrometheusRoutes } from './prometheus/index.ts';
import type { QueryRoute } from './query-route.ts';
import { createZipkinApi } from './zipkin/index.ts';

export interface StoreQueriesOptions {
  readonly client: StoreClient;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Resolves once what was acknowledged before the call can be queried; at most once a second for all who wait. */
  readonly freshen: (signal: AbortSignal) => Promise<void>;
}

/** The routes of Zipkin, Prometheus and Loki. */
export function createStoreQueries({ client, now, freshen }: StoreQueriesOptions): readonly QueryRoute[] {
  return [
    ...createZipkinApi({
      traces: {
        traceById: (id, signal) => traceById(client, id, { signal }),
        serviceNames: (signal) => serviceNames(client, { signal }),
      },
      freshen,
    }),
    ...createPrometheusRoutes({
      samples: { select: (selection, signal) => readSamples(client, selection, { signal }) },
      now,
    }),
    ...createLokiRoutes({ logs: { select: (selection, signal) => readLogs(client, selection, { signal }) }, now }),
  ];
}
