/** One series of Istio's standard metrics as what it reports: who called whom, over which protocol, and how that ended. */
import type { Label } from '../../model/sample.ts';
import { parseBound } from '../promql/evaluate/histogram.ts';

/** The metrics that a graph of traffic is drawn from. */
export const trafficMetrics = [
  'istio_requests_total',
  'istio_request_duration_milliseconds_bucket',
  'istio_request_messages_total',
  'istio_response_messages_total',
  'istio_tcp_received_bytes_total',
  'istio_tcp_sent_bytes_total',
] as const;

export type TrafficMetric = (typeof trafficMetrics)[number];

export type MeshProtocol = 'grpc' | 'http' | 'tcp';

/** One end of a call, as the labels have it: '' is a label that is not there, `unknown` one that Istio could not fill. */
export interface Party {
  readonly cluster: string;
  readonly serviceNamespace: string;
  readonly service: string;
  readonly workloadNamespace: string;
  readonly workload: string;
  readonly app: string;
  readonly version: string;
}

export interface Report {
  readonly metric: TrafficMetric;
  readonly protocol: MeshProtocol;
  readonly source: Party;
  readonly target: Party;
  /** The status of HTTP or of gRPC; `-` where there was no response, undefined where the metric has no status at all. */
  readonly code: string | undefined;
  readonly flags: string;
  /** The host that was asked for. */
  readonly host: string;
  /** Requests, messages or bytes. */
  readonly perSecond: number;
  /** The bucket that is reported: requests that took no longer than so many milliseconds. */
  readonly withinMs: number | undefined;
}

export const unknown = 'unknown';

/** Whether a label says something. */
export const isKnown = (value: string): boolean => value !== '' && value !== unknown;

/** Istio's own namespace, where the egress gateway is unless installed otherwise. */
const istioNamespace = 'istio-system';
const egressService = 'istio-egressgateway';
const egressHost = `${egressService}.${istioNamespace}.svc.cluster.local`;

const addressAlone = /^\d+\.\d+\.\d+\.\d+(:\d+)?$/;

type LabelReader = (name: string) => string;

function sourceOf(label: LabelReader): Party | undefined {
  const namespace = label('source_workload_namespace');
  const workload = label('source_workload');
  const app = label('source_canonical_service');
  const cluster = label('source_cluster');
  // A namespace without a workload, or with a cluster that Istio could not tell, is left over from a pod that came or went.
  if (isKnown(namespace) && ((!isKnown(workload) && !isKnown(app)) || cluster === unknown)) return undefined;
  return {
    cluster: cluster === '' ? unknown : cluster,
    serviceNamespace: namespace,
    service: '',
    workloadNamespace: namespace,
    workload,
    app,
    version: label('source_canonical_revision'),
  };
}

function targetOf(label: LabelReader, sourceCluster: string): Party | undefined {
  const host = label('destination_service');
  const service = label('destination_service_name');
  if (host === egressHost && service === host) {
    // The egress gateway by its host alone: the proxy did not know its workload (kiali#2999).
    return {
      cluster: sourceCluster,
      serviceNamespace: istioNamespace,
      service: egressService,
      workloadNamespace: istioNamespace,
      workload: egressService,
      app: egressService,
      version: 'latest',
    };
  }
  const serviceNamespace = label('destination_service_namespace');
  const workload = label('destination_workload');
  const labelled = label('destination_cluster');
  // Istio lost the cluster of calls within one (istio#29373).
  const cluster = isKnown(labelled) ? labelled : isKnown(serviceNamespace) ? sourceCluster : unknown;
  const isAddress = !isKnown(workload) && host === service && addressAlone.test(service);
  if (isAddress || (isKnown(serviceNamespace) && labelled !== '' && !isKnown(cluster))) return undefined;
  return {
    cluster,
    serviceNamespace,
    service,
    workloadNamespace: label('destination_workload_namespace'),
    workload,
    app: label('destination_canonical_service'),
    version: label('destination_canonical_revision'),
  };
}

const isHttpError = (code: string): boolean => code.startsWith('4') || code.startsWith('5');

function codeOf(label: LabelReader, protocol: MeshProtocol): string {
  const code = label('response_code');
  // Istio's 0: the connection ended before a response.
  if (code === '0') return '-';
  const grpcStatus = label('grpc_response_status');
  return protocol !== 'grpc' || isHttpError(code) || grpcStatus === '' ? code : grpcStatus;
}

const protocolOfRequests = new Map<string, MeshProtocol>([
  ['http', 'http'],
  ['grpc', 'grpc'],
]);

/** Whether a metric is of requests, which have a protocol of their own. */
export const isOfRequests = (metric: TrafficMetric): boolean =>
  metric === 'istio_requests_total' || metric === 'istio_request_duration_milliseconds_bucket';

function protocolOf(metric: TrafficMetric, label: LabelReader): MeshProtocol | undefined {
  if (isOfRequests(metric)) return protocolOfRequests.get(label('request_protocol'));
  return metric.startsWith('istio_tcp') ? 'tcp' : 'grpc';
}

/** What a series reports; undefined where its labels do not say who called whom. */
export function readReport(metric: TrafficMetric, labels: readonly Label[], perSecond: number): Report | undefined {
  const values = new Map(labels);
  const label: LabelReader = (name) => values.get(name) ?? '';
  const protocol = protocolOf(metric, label);
  const source = sourceOf(label);
  const target = source && targetOf(label, source.cluster);
  if (protocol === undefined || source === undefined || target === undefined) return undefined;
  return {
    metric,
    protocol,
    source,
    target,
    code: metric === 'istio_requests_total' ? codeOf(label, protocol) : undefined,
    // Messages have none of their own.
    flags: metric === 'istio_requests_total' || protocol === 'tcp' ? label('response_flags') : '',
    host: label('destination_service'),
    perSecond,
    withinMs: metric === 'istio_request_duration_milliseconds_bucket' ? parseBound(label('le')) : undefined,
  };
}
