import { describe, expect, it } from 'vitest';
import { type MetricKind, plainNumber, prometheusLabel, prometheusName, prometheusUnit } from './metric-names.ts';

describe('the name of a metric', () => {
  it.each<[name: string, unit: string, kind: MetricKind, expected: string | undefined]>([
    ['http.server.duration', 's', 'histogram', 'http_server_duration_seconds'],
    ['http.server.request.duration', 'ms', 'histogram', 'http_server_request_duration_milliseconds'],
    ['requests.count', '1', 'counter', 'requests_count_total'],
    ['requests_total', '', 'counter', 'requests_total'],
    ['total.requests', '{request}', 'counter', 'requests_total'],
    ['active.requests', '{request}', 'updown', 'active_requests'],
    ['memory.usage', 'By', 'gauge', 'memory_usage_bytes'],
    ['system.io', 'By/s', 'counter', 'system_io_bytes_per_second_total'],
    ['hw.fan.speed_rpm', 'rpm', 'gauge', 'hw_fan_speed_rpm'],
    ['cpu.utilization', '1', 'gauge', 'cpu_utilization_ratio'],
    ['hw.gpu.memory.utilization.ratio', '1', 'gauge', 'hw_gpu_memory_utilization_ratio'],
    ['cpu.utilization', '1', 'updown', 'cpu_utilization'],
    ['cpu.load', '%', 'gauge', 'cpu_load_percent'],
    ['fsx.free_bytes', 'By', 'gauge', 'fsx_free_bytes'],
    ['broken.metric.speed', 'km/h', 'gauge', 'broken_metric_speed_km_per_hour'],
    ['unsupported.metric.light_speed', 'm/s', 'gauge', 'unsupported_metric_light_speed_meters_per_second'],
    ['unsupported.metric.redundancy', '__test $/°C', 'gauge', 'unsupported_metric_redundancy_test_per_C'],
    ['unsupported.metric.temp', '°F', 'gauge', 'unsupported_metric_temp_F'],
    ['per.thing', '/{thing}', 'gauge', 'per_thing'],
    ['envoy__rule_engine_zlib_buf_error', '', 'gauge', 'envoy_rule_engine_zlib_buf_error'],
    ['var:éà value', '', 'gauge', 'var:_value'],
    ['3.14 pie', '', 'gauge', '_3_14_pie'],
    ['a-b c.', '', 'gauge', 'a_b_c'],
    ['latency', 'TiBy', 'gauge', 'latency_tibibytes'],
    ['', '', 'gauge', undefined],
    ['é', '', 'gauge', undefined],
    ['é', '', 'counter', 'total'],
  ])('%j in %j of a %s', (name, unit, kind, expected) => {
    expect(prometheusName(name, unit, kind)).toBe(expected);
  });
});

describe('a unit', () => {
  it.each([
    ['s', 'seconds'],
    ['By/s', 'bytes_per_second'],
    ['1', ''],
    ['{request}', ''],
    ['{request}/s', 'per_second'],
    ['', ''],
    ['m/m', 'meters_per_minute'],
  ])('%j', (unit, expected) => {
    expect(prometheusUnit(unit)).toBe(expected);
  });
});

describe('the name of a label', () => {
  it.each([
    ['http.method', 'http_method'],
    ['123invalid', 'key_123invalid'],
    ['_private', 'key_private'],
    ['.private', 'key_private'],
    ['__reserved__', '__reserved__'],
    ['a..b', 'a__b'],
    ['weird😀', 'weird_'],
    ['_', undefined],
    ['', undefined],
    ['😀', undefined],
  ])('%j', (key, expected) => {
    expect(prometheusLabel(key)).toBe(expected);
  });
});

describe('a bound', () => {
  it.each([
    [0.005, '0.005'],
    [1, '1'],
    [-2.5, '-2.5'],
    [1e-7, '0.0000001'],
    [1.5e-9, '0.0000000015'],
    [1e21, '1000000000000000000000'],
    [-1.25e22, '-12500000000000000000000'],
    [2.5e25, '25000000000000000000000000'],
    [Number.POSITIVE_INFINITY, '+Inf'],
    [Number.NEGATIVE_INFINITY, '-Inf'],
    [Number.NaN, 'NaN'],
    [-0, '-0'],
  ])('%d', (value, expected) => {
    expect(plainNumber(value)).toBe(expected);
  });
});
