/** What Kiali's cases leave open: odd labels, gRPC's errors, small rates, two protocols behind one service. */
import { describe, expect, it } from 'vitest';
import { graphElements } from './metrics-elements.ts';
import { drawGraph, type GraphOptions, type RateAnswer } from './metrics-graph.ts';
import type { TrafficMetric } from './metrics-report.ts';

const labelsOf = (from: string, to: string): Record<string, string> => ({
  source_cluster: 'east',
  source_workload_namespace: 'shop',
  source_workload: `${from}-v1`,
  source_canonical_service: from,
  destination_cluster: 'east',
  destination_service_namespace: 'shop',
  destination_service: `${to}.shop.svc.cluster.local`,
  destination_service_name: to,
  destination_workload_namespace: 'shop',
  destination_workload: `${to}-v1`,
  destination_canonical_service: to,
  request_protocol: 'http',
  response_code: '200',
  response_flags: '-',
});

const answer = (
  labels: Record<string, string>,
  perSecond: number,
  metric: TrafficMetric = 'istio_requests_total',
): RateAnswer => ({ metric, samples: [{ labels: Object.entries(labels), perSecond }] });

const draw = (answers: readonly RateAnswer[], options: Partial<GraphOptions> = {}) =>
  graphElements(
    drawGraph(answers, {
      type: 'app',
      rates: { http: 'requests', grpc: 'requests', tcp: 'sent' },
      hasServices: false,
      ...options,
    }),
  );

describe('a graph of Istio metrics', () => {
  it('counts what both proxies report once, and keeps what the first said', () => {
    const call = labelsOf('front', 'reviews');
    const { edges } = draw([answer(call, 4), answer(call, 4.1), answer({ ...call, response_flags: 'UF' }, 1)]);
    expect(edges.map(({ traffic }) => traffic.rates)).toEqual([{ http: '5.00', httpPercentReq: '100.0' }]);
  });

  it("takes gRPC's own status, and HTTP's where gRPC failed before it had one", () => {
    const call = { ...labelsOf('front', 'cart'), request_protocol: 'grpc' };
    const { edges } = draw([
      answer({ ...call, grpc_response_status: '0' }, 5),
      answer({ ...call, grpc_response_status: '14' }, 2),
      answer({ ...call, response_code: '503', grpc_response_status: '14' }, 2),
      answer({ ...call, response_code: '0' }, 1),
    ]);
    const [edge] = edges;
    expect(edge?.traffic.rates).toEqual({
      grpc: '10.00',
      grpcErr: '4.00',
      grpcNoResponse: '1.00',
      grpcPercentErr: '50.0',
      grpcPercentReq: '100.0',
    });
    expect(Object.keys(edge?.traffic.responses ?? {}).sort()).toEqual(['-', '0', '14', '503']);
  });

  it('shows a rate however small, with the first digit that is not zero', () => {
    const { edges } = draw([answer(labelsOf('front', 'reviews'), 0.0004)]);
    expect(edges[0]?.traffic.rates['http']).toBe('0.0004');
  });

  it('leaves out what says nothing of its ends, or of a protocol that it does not know', () => {
    const call = labelsOf('front', 'reviews');
    const none = draw([
      answer({}, 1),
      answer({ ...call, source_workload: 'unknown', source_canonical_service: 'unknown' }, 1),
      answer({ ...call, source_cluster: 'unknown' }, 1),
      answer({ ...call, request_protocol: 'mongo' }, 1),
    ]);
    expect(none).toEqual({ nodes: [], edges: [] });
  });

  it('keeps names with slashes and quotes apart', () => {
    const { nodes } = draw([answer({ ...labelsOf('a/b', 'c"d'), destination_workload_namespace: 'shop/c' }, 1)]);
    expect(nodes.map(({ id }) => id)).toEqual(['app/east/shop/a%2Fb', 'app/east/shop%2Fc/c%22d']);
  });

  it('puts a service between callers and workloads where it is asked for, and gives each its own traffic', () => {
    const { nodes, edges } = draw([answer(labelsOf('front', 'reviews'), 3)], { hasServices: true });
    expect(nodes.find(({ isInjected }) => isInjected === true)?.id).toBe('service/east/shop/reviews');
    expect(edges.map(({ source, target }) => [source, target])).toEqual([
      ['app/east/shop/front', 'service/east/shop/reviews'],
      ['service/east/shop/reviews', 'app/east/shop/reviews'],
    ]);
  });

  it('counts the calls of a workload once when its service is reached over two protocols', () => {
    const { edges } = draw(
      [
        answer(labelsOf('front', 'reviews'), 3),
        answer({ ...labelsOf('front', 'reviews'), request_protocol: 'grpc' }, 2),
        answer(labelsOf('reviews', 'ratings'), 1),
      ],
      { type: 'service' },
    );
    expect(edges.find(({ source }) => source === 'service/east/shop/reviews')?.traffic.rates['http']).toBe('1.00');
  });
});
