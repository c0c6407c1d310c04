/** The query dialects over the store's readers. */
import type { MainConfig } from '../../config/main-config.ts';
import type { Clock } from '../../pipeline/component.ts';
import { createLokiRoutes } from '../../query/loki/index.ts';
import { createPrometheusRoutes, defaultPrometheusLimits } from '../../query/prometheus/index.ts';
import type { QueryRoute } from '../../query/query-route.ts';
import { createTopologyRoute } from '../../query/topology/index.ts';
import { createZipkinApi } from '../../query/zipkin/index.ts';
import { readLogs } from '../../store/readers/logs.ts';
import { readSamples } from '../../store/readers/samples.ts';
import { serviceNames, traceById } from '../../store/readers/spans.ts';
import { readTopology } from '../../store/rollups/topology.ts';
import type { StoreLink } from './store-link.ts';

/** Every query route of the agent. */
export function createQueryRoutes(link: StoreLink, config: MainConfig, clock: Clock): readonly QueryRoute[] {
  const { client, freshness } = link;
  const now = clock.nowMs;
  return [
    ...createZipkinApi({
      traces: {
        traceById: (traceId, signal) => traceById(client, traceId, { signal }),
        serviceNames: (signal) => serviceNames(client, { signal }),
      },
      freshen: freshness.freshen,
    }),
    ...createPrometheusRoutes({
      samples: { select: (selection, signal) => readSamples(client, selection, { signal }) },
      now,
      limits: {
        ...defaultPrometheusLimits,
        timeoutMs: config.query.timeout,
        maxPointsPerSeries: config.query.max_points,
      },
    }),
    ...createLokiRoutes({
      logs: { select: (selection, signal) => readLogs(client, selection, { signal }) },
      now,
      limits: { timeoutMs: config.query.timeout, maxLines: config.query.max_log_lines },
    }),
    createTopologyRoute({
      source: {
        topology: (window, signal) => readTopology(client, { ...window, signal, timeoutMs: config.query.timeout }),
      },
      nowMs: now,
    }),
  ];
}
