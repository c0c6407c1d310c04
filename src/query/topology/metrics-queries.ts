/** What is asked of Istio's metrics for a graph: Kiali's queries (reference: mesh, 5.1), and for durations one of the histogram. */
import { type GraphRates, metricsFor } from './metrics-graph.ts';
import type { TrafficMetric } from './metrics-report.ts';

export interface RateQuery {
  readonly metric: TrafficMetric;
  readonly text: string;
}

const partyLabels = [
  'source_cluster',
  'source_workload_namespace',
  'source_workload',
  'source_canonical_service',
  'source_canonical_revision',
  'destination_cluster',
  'destination_service_namespace',
  'destination_service',
  'destination_service_name',
  'destination_workload_namespace',
  'destination_workload',
  'destination_canonical_service',
  'destination_canonical_revision',
];

const furtherLabels: Readonly<Record<TrafficMetric, readonly string[]>> = {
  istio_requests_total: ['request_protocol', 'response_code', 'grpc_response_status', 'response_flags'],
  istio_request_duration_milliseconds_bucket: ['request_protocol', 'le'],
  istio_request_messages_total: [],
  istio_response_messages_total: [],
  istio_tcp_received_bytes_total: ['response_flags'],
  istio_tcp_sent_bytes_total: ['response_flags'],
};

/**
 * What is read of a namespace: calls of its services that reached no workload, which callers alone report; then what its own proxies report of
 * calls in and out. Of a whole mesh it is what servers and then callers report.
 */
function selectors(namespaces: readonly string[] | undefined): readonly string[] {
  if (namespaces === undefined) return ['reporter="destination"', 'reporter="source"'];
  return namespaces.flatMap((namespace) => [
    `reporter="source",source_workload_namespace!="${namespace}",destination_workload_namespace="unknown",` +
      `destination_workload="unknown",destination_service=~".+\\\\.${namespace}\\\\..+"`,
    `reporter="destination",destination_workload_namespace="${namespace}"`,
    `reporter="source",source_workload_namespace="${namespace}"`,
  ]);
}

/** The queries of a graph over the last `seconds`. Namespaces must be names as Kubernetes allows them; undefined is the whole mesh. */
export function rateQueries(options: {
  readonly rates: GraphRates;
  readonly namespaces: readonly string[] | undefined;
  readonly seconds: number;
}): readonly RateQuery[] {
  const { rates, namespaces, seconds } = options;
  const counts = metricsFor(rates);
  const durations = counts.includes('istio_requests_total')
    ? ['istio_request_duration_milliseconds_bucket' as const]
    : [];
  return [...counts, ...durations].flatMap((metric) =>
    selectors(namespaces).map((selector) => {
      const by = [...partyLabels, ...furtherLabels[metric]].join(',');
      const rate = `sum by (${by}) (rate(${metric}{${selector}}[${seconds}s]))`;
      // Of a histogram the empty buckets count too: they say where the first that is not empty begins.
      return { metric, text: metric === 'istio_request_duration_milliseconds_bucket' ? rate : `${rate} > 0` };
    }),
  );
}
