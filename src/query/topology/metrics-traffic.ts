/** What went over an edge, summed. */
import type { MeshProtocol, Report } from './metrics-report.ts';

/** Rates in units per second: requests, or bytes over TCP, or messages where a graph of gRPC messages was asked for. */
export interface Rates {
  total: number;
  /** HTTP 3xx, 4xx and 5xx. */
  http3xx: number;
  http4xx: number;
  http5xx: number;
  /** gRPC that ended with an error. */
  grpcErrors: number;
  /** Requests without a response, of HTTP or gRPC. */
  noResponse: number;
}

export interface ResponseDetail {
  readonly flags: Map<string, number>;
  readonly hosts: Map<string, number>;
}

export interface Traffic extends Rates {
  readonly protocol: MeshProtocol;
  /** By code; `-` where there is none. */
  readonly responses: Map<string, ResponseDetail>;
  /** Requests per second that took no longer than so many milliseconds. */
  readonly buckets: Map<number, number>;
}

export const noRates = (): Rates => ({
  total: 0,
  http3xx: 0,
  http4xx: 0,
  http5xx: 0,
  grpcErrors: 0,
  noResponse: 0,
});

export const noTraffic = (protocol: MeshProtocol): Traffic => ({
  protocol,
  ...noRates(),
  responses: new Map(),
  buckets: new Map(),
});

type RateName = keyof Rates;

/** The rate that a code counts for besides the total. */
function classOf(protocol: MeshProtocol, code: string | undefined): RateName | undefined {
  if (code === undefined) return undefined;
  if (code === '-') return 'noResponse';
  // Where gRPC fails in HTTP already, its code is one of HTTP's, which have three digits.
  if (protocol === 'grpc') return code === '0' || /^[123]\d\d$/.test(code) ? undefined : 'grpcErrors';
  const names: Readonly<Record<string, RateName>> = { '3': 'http3xx', '4': 'http4xx', '5': 'http5xx' };
  return names[code.charAt(0)];
}

const addTo = (sums: Map<string, number>, name: string, value: number): void => {
  if (name !== '') sums.set(name, (sums.get(name) ?? 0) + value);
};

function detailOf(traffic: Traffic, code: string): ResponseDetail {
  const detail = traffic.responses.get(code) ?? { flags: new Map(), hosts: new Map() };
  traffic.responses.set(code, detail);
  return detail;
}

const addToBucket = (buckets: Map<number, number>, withinMs: number, perSecond: number): void => {
  buckets.set(withinMs, (buckets.get(withinMs) ?? 0) + perSecond);
};

/** Adds the buckets of one histogram to those of another. */
export function addBuckets(sums: Map<number, number>, added: ReadonlyMap<number, number>): void {
  for (const [withinMs, perSecond] of added) addToBucket(sums, withinMs, perSecond);
}

/** Counts a report. */
export function addReport(traffic: Traffic, report: Report): void {
  const { protocol, code, flags, host, perSecond, withinMs } = report;
  if (report.metric === 'istio_request_duration_milliseconds_bucket') {
    if (withinMs !== undefined) addToBucket(traffic.buckets, withinMs, perSecond);
    return;
  }
  if (!(perSecond > 0)) return;
  traffic.total += perSecond;
  const also = classOf(protocol, code);
  if (also !== undefined) traffic[also] += perSecond;
  const detail = detailOf(traffic, code ?? '-');
  addTo(detail.flags, flags, perSecond);
  addTo(detail.hosts, host, perSecond);
}

/** Adds rates to others. */
export function addRates(sums: Rates, added: Rates): void {
  sums.total += added.total;
  sums.http3xx += added.http3xx;
  sums.http4xx += added.http4xx;
  sums.http5xx += added.http5xx;
  sums.grpcErrors += added.grpcErrors;
  sums.noResponse += added.noResponse;
}

/** Adds the traffic of an edge to that of another of the same protocol. */
export function addTraffic(sums: Traffic, added: Traffic): void {
  addRates(sums, added);
  addBuckets(sums.buckets, added.buckets);
  for (const [code, { flags, hosts }] of added.responses) {
    const detail = detailOf(sums, code);
    for (const [name, value] of flags) addTo(detail.flags, name, value);
    for (const [name, value] of hosts) addTo(detail.hosts, name, value);
  }
}
