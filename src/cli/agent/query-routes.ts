/** The query dialects over the store's readers. */
import type { MainConfig } from '../../config/main-config.ts';
import { formatSize } from '../../config/quantity.ts';
import type { Clock } from '../../pipeline/component.ts';
import { createJaegerApi, createJaegerSource } from '../../query/jaeger/index.ts';
import { createLokiRoutes } from '../../query/loki/index.ts';
import { createMeasurementRoute } from '../../query/measurements/index.ts';
import { createExplainRoute } from '../../query/prometheus/explain.ts';
import { createPrometheusRoutes, defaultPrometheusLimits } from '../../query/prometheus/index.ts';
import { createListingRoutes, type ListingSource, type TargetMetadata } from '../../query/prometheus/listings.ts';
import { createRuleRoutes } from '../../query/prometheus/rules.ts';
import { createStatusRoutes, type StatusSource } from '../../query/prometheus/status.ts';
import { createStoreSamples } from '../../query/promql/store-samples.ts';
import type { QueryRoute } from '../../query/query-route.ts';
import { createSearchGate } from '../../query/search-gate.ts';
import { createTopologyRoute } from '../../query/topology/index.ts';
import { createZipkinApi } from '../../query/zipkin/index.ts';
import { createZipkinSource } from '../../query/zipkin/source.ts';
import { readExemplars } from '../../store/readers/exemplars.ts';
import type { ReadLimits } from '../../store/readers/limits.ts';
import { readLogs } from '../../store/readers/logs.ts';
import { readMetadata } from '../../store/readers/metadata.ts';
import { defaultSampleLimits } from '../../store/readers/samples.ts';
import { readLabelNames, readLabelValues, readMeasurements, readSeries } from '../../store/readers/series.ts';
import { readSeriesStatistics } from '../../store/readers/series-statistics.ts';
import { readTopology } from '../../store/rollups/topology.ts';
import { retentionLimitsOf } from '../retention-limits.ts';
import { version } from '../version.ts';
import type { StoreLink } from './store-link.ts';

/** What queries ask of the agent itself. */
export interface AgentSource extends Pick<StatusSource, 'startedMs' | 'scrapeIntervalsMs' | 'configuration'> {
  readonly clock: Clock;
  /** The targets that this agent scrapes, with what they said of their metrics. */
  targets(): readonly TargetMetadata[];
}

/** What queries need of the store. */
export type QueriedStore = Pick<StoreLink, 'client' | 'freshness' | 'labels' | 'recent' | 'whyNotReady' | 'whyBehind'>;

/** Every query route of the agent. */
export function createQueryRoutes(link: QueriedStore, config: MainConfig, agent: AgentSource): readonly QueryRoute[] {
  const { client, freshness } = link;
  const { clock, targets } = agent;
  const now = clock.nowMs;
  const { timeout: timeoutMs } = config.query;
  const readLimits: ReadLimits = {
    timeoutMs,
    maxMemoryBytes: config.query.max_memory,
    maxRowsToRead: config.query.max_rows_to_read,
    maxResultBytes: config.query.max_result_bytes,
  };
  const sampleLimits = { ...defaultSampleLimits, ...readLimits };
  const atOnce = { atOnce: config.query.max_concurrent, waiting: config.query.max_waiting };
  const searches = createSearchGate(atOnce);
  const samples = createStoreSamples(client, {
    limits: sampleLimits,
    labels: link.labels,
    ...(link.recent === undefined ? {} : { recent: link.recent }),
  });
  const gate = createSearchGate(atOnce);
  const prometheus = {
    samples,
    now,
    gate,
    delaysNameRemoval: config.query.delayed_name_removal,
    whyBehind: link.whyBehind,
    limits: { ...defaultPrometheusLimits, timeoutMs, maxPointsPerSeries: config.query.max_points },
  };
  return [
    ...createZipkinApi({
      traces: createZipkinSource({ client, limits: readLimits, searches, nowMs: now }),
      freshen: freshness.freshen,
      isCurrent: freshness.isCurrent,
      nowMs: now,
      autocompleteKeys: config.query.autocomplete_keys,
      state: { whyNotReady: link.whyNotReady, version },
    }),
    ...createJaegerApi({
      source: createJaegerSource({ client, limits: readLimits, nowMs: now }),
      searches,
      freshen: freshness.freshen,
      isCurrent: freshness.isCurrent,
      nowMs: now,
    }),
    ...createPrometheusRoutes(prometheus),
    createExplainRoute(prometheus),
    ...createListingRoutes(createListingSource(link, { readLimits, targets }), { gate, timeoutMs }),
    ...createRuleRoutes(),
    ...createStatusRoutes({
      ...statusOf(config, agent),
      statistics: (what, signal) => readSeriesStatistics(client, { ...what, signal, limits: readLimits }),
    }),
    createMeasurementRoute({
      measurements: (signal) => readMeasurements(client, { nowMs: now() }, { signal, limits: readLimits }),
    }),
    ...createLokiRoutes({
      logs: { select: (selection, signal) => readLogs(client, selection, { signal, limits: readLimits }) },
      now,
      limits: { timeoutMs, maxLines: config.query.max_log_lines },
    }),
    createTopologyRoute({
      source: {
        topology: (window, signal) => readTopology(client, { ...window, signal, timeoutMs }),
      },
      metrics: { samples, gate, timeoutMs, maxPoints: defaultPrometheusLimits.maxPoints },
      nowMs: now,
    }),
  ];
}

/** What the listings read; the large ones let others go first in the store. */
function createListingSource(
  { client, labels }: QueriedStore,
  { readLimits, targets }: { readonly readLimits: ReadLimits } & Pick<AgentSource, 'targets'>,
): ListingSource {
  const options = (signal: AbortSignal, isLarge = false) => ({ signal, limits: { ...readLimits, isLarge } });
  return {
    series: (selection, limit, ...how) => readSeries(client, selection, { ...options(...how), limit, labels }),
    labelNames: (selection, limit, ...how) => readLabelNames(client, selection, { ...options(...how), limit }),
    labelValues: (name, { limit, ...selection }, ...how) =>
      readLabelValues(client, { ...selection, name }, { ...options(...how), limit }),
    metadata: (family, ...how) =>
      readMetadata(client, { ...options(...how), ...(family === undefined ? {} : { family }) }),
    exemplars: (selection, ...how) => readExemplars(client, selection, options(...how)),
    targets,
  };
}

/** What the configuration and the agent say of themselves. */
function statusOf({ http, query, store }: MainConfig, agent: AgentSource): Omit<StatusSource, 'statistics'> {
  const { ageMs, maxBytes } = retentionLimitsOf(store);
  return {
    ...agent,
    version,
    now: agent.clock.nowMs,
    limits: {
      timeoutMs: query.timeout,
      lookbackMs: defaultPrometheusLimits.lookbackMs,
      maxSamples: defaultSampleLimits.maxSamples,
      maxConcurrent: query.max_concurrent,
    },
    retentionMs: ageMs.samples,
    maxSize: maxBytes === 'none' ? undefined : formatSize(maxBytes),
    listenAddress: http.listen,
  };
}
