import { describe, expect, it } from 'vitest';
import { type NamingRules, nameSeries, splitFamilyName } from './naming.ts';

const none: NamingRules = { measurements: [], measurementName: '', measurementPrefix: '', keepsExistingName: false };
const split = (family: string, rules: Partial<NamingRules> = {}) => {
  const { measurement, field } = splitFamilyName(family, { ...none, ...rules });
  return `${measurement}/${field}`;
};

describe('DataKit names', () => {
  it('splits at the first underscore', () => {
    expect(split('etcd_write_bytes_total')).toBe('etcd/write_bytes_total');
    expect(split('_etcd_write')).toBe('etcd/write');
    expect(split('up')).toBe('up/up');
    expect(split('etcd_')).toBe('etcd/etcd');
    expect(split('___')).toBe('unknown/unknown');
  });

  it('keeps the full name as the field where it is told to', () => {
    expect(split('etcd_write', { keepsExistingName: true })).toBe('etcd/etcd_write');
    expect(split('istio_requests_total', { measurementName: 'istio_prom' })).toBe('istio_prom/istio_requests_total');
  });

  it('lets the first rule with a matching prefix go before the common name', () => {
    const measurements = [
      { prefix: '', name: 'never' },
      { prefix: 'etcd_network_', name: 'net' },
      { prefix: 'etcd_', name: '' },
    ];
    expect(split('etcd_network_sent', { measurements, measurementName: 'm' })).toBe('net/sent');
    expect(split('etcd_disk_sync', { measurements, measurementPrefix: 'p_' })).toBe('p_etcd/disk_sync');
    expect(split('go_gc', { measurements, measurementName: 'm', measurementPrefix: 'p_' })).toBe('p_m/go_gc');
  });

  it("adds a histogram's suffix to the family's field", () => {
    expect(nameSeries('http_latency_bucket', 'http_latency', none)).toEqual({
      measurement: 'http',
      field: 'latency_bucket',
    });
    expect(nameSeries('latency_sum', 'latency', none)).toEqual({ measurement: 'latency', field: 'latency_sum' });
  });
});
