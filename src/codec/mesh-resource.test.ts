import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { parseNodeId, resourceOfSpan, stripNamespace } from './mesh-resource.ts';

describe('the resource of a span', () => {
  it('takes pod and namespace out of Envoy’s node id', () => {
    expect(parseNodeId('sidecar~10.1.2.3~productpage-v1.x-7f4c.default~default.svc.cluster.local')).toEqual({
      pod: 'productpage-v1.x-7f4c',
      namespace: 'default',
    });
    for (const nodeId of ['', 'sidecar~10.1.2.3', 'a~b~nodot~c', 'a~b~.x~c', 'a~b~x.~c', 'a~b~c.d~e~f'])
      expect(parseNodeId(nodeId)).toBeUndefined();
  });

  it('takes the namespace off a service name only when it is that namespace', () => {
    expect(stripNamespace('productpage.default', 'default')).toBe('productpage');
    expect(stripNamespace('productpage.default', 'other')).toBe('productpage.default');
    expect(stripNamespace('my.service', '')).toBe('my.service');
    expect(stripNamespace('.default', 'default')).toBe('.default');
  });

  it('knows a sidecar by its canonical service, and by its service name where that is unknown', () => {
    const tags = {
      node_id: 'sidecar~10.0.0.1~reviews-v2-abc.shop~shop.svc.cluster.local',
      'istio.canonical_revision': 'v2',
    };
    const expected = { service: 'reviews', namespace: 'shop', pod: 'reviews-v2-abc', version: 'v2' };
    expect(resourceOfSpan('reviews.shop', { ...tags, 'istio.canonical_service': 'unknown' })).toMatchObject(expected);
    expect(resourceOfSpan('other.shop', { ...tags, 'istio.canonical_service': 'reviews' })).toMatchObject(expected);
  });

  it('reads the resource attributes of an OpenTelemetry exporter', () => {
    const tags = {
      'service.version': '1.2',
      'k8s.namespace.name': 'shop',
      'k8s.pod.name': 'cart-1',
      'k8s.container.name': 'app',
      'k8s.node.name': 'n1',
    };
    expect(resourceOfSpan('cart', tags)).toMatchObject({
      service: 'cart',
      namespace: 'shop',
      pod: 'cart-1',
      container: 'app',
      node: 'n1',
      version: '1.2',
    });
    expect(resourceOfSpan(undefined, { 'service.name': 'cart' }).service).toBe('cart');
  });

  it('gives the same object for the same emitter, and never another’s', () => {
    const first = resourceOfSpan('a.x', { 'istio.namespace': 'x' });
    const other = resourceOfSpan('a.x', { 'istio.namespace': 'y' });
    expect(resourceOfSpan('a.x', { 'istio.namespace': 'x', 'http.method': 'GET' })).toBe(first);
    expect(other).not.toBe(first);
    for (let i = 0; i < 10_000; i++)
      expect(resourceOfSpan(`s${i % 6000}.x`, { 'istio.namespace': 'x' }).service).toBe(`s${i % 6000}`);
    for (let i = 0; i < 500; i++) expect(resourceOfSpan('one', { 'k8s.pod.name': `p${i}` }).pod).toBe(`p${i}`);
  });

  it('keeps no body in memory for the names that were cut out of it', () => {
    const heapBytes = () => {
      setFlagsFromString('--expose-gc');
      runInNewContext('gc')();
      return process.memoryUsage().heapUsed;
    };
    const bodies = 64;
    const bodyBytes = 512 * 1024;
    // As the reader of protobuf has it: one string for the message, and parts of it for what it says.
    const readBody = (i: number) => {
      const names = `pod-${String(i).padStart(20, '0')}space-${String(i).padStart(20, '0')}`;
      const text = Buffer.from(names.padEnd(bodyBytes, '.'), 'latin1').toString('latin1');
      const [pod, namespace] = [text.slice(0, 24), text.slice(24, 50)];
      resourceOfSpan(pod, { 'k8s.pod.name': pod, 'k8s.namespace.name': namespace });
      resourceOfSpan(pod, { node_id: `sidecar~::1~${pod}.x~d`, 'istio.namespace': namespace });
    };
    const before = heapBytes();
    for (let i = 0; i < bodies; i++) readBody(i);
    expect(heapBytes() - before).toBeLessThan((bodies * bodyBytes) / 4);
  });
});
