/** OTLP's metrics, for the decoders that must stand mutants. */
import { createMetricsDecoder, decodeMetrics } from '../../src/codec/otlp/decode-metrics.ts';
import {
  encodeExportMetricsServiceRequest,
  readExportMetricsServiceRequest,
} from '../../src/codec/otlp/otlp.generated.ts';
import { WireWriter } from '../../src/codec/protobuf/wire-writer.ts';
import type { DecoderUnderTest } from './decoder-kit.ts';

const point =
  '"timeUnixNano":"1795253305853895123","startTimeUnixNano":"1795253300000000000","attributes":[{"key":"k","value":{"stringValue":"é"}}]';
const exemplar =
  '"exemplars":[{"asDouble":1.5,"timeUnixNano":"1795253305853895123","traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331","filteredAttributes":[{"key":"u","value":{"intValue":"7"}}]}]';
const metrics = `[{"name":"requests","unit":"1","sum":{"aggregationTemporality":2,"isMonotonic":true,"dataPoints":[{${point},"asInt":"12",${exemplar}}]}},
  {"name":"busy","description":"How busy","unit":"%","gauge":{"dataPoints":[{${point},"asDouble":0.5},{"timeUnixNano":"1","flags":1}]}},
  {"name":"latency","unit":"s","histogram":{"aggregationTemporality":2,"dataPoints":[{${point},"count":"3","sum":0.5,"bucketCounts":["1","0","2"],"explicitBounds":[0.5,1],${exemplar}}]}},
  {"name":"wait","unit":"ms","summary":{"dataPoints":[{${point},"count":"3","sum":0.5,"quantileValues":[{"quantile":0.5,"value":1}]}]}},
  {"name":"sizes","exponentialHistogram":{"aggregationTemporality":2,"dataPoints":[{${point},"scale":2}]}},
  {"name":"since","sum":{"aggregationTemporality":1,"dataPoints":[{${point},"asInt":"-1"}]}}]`;
const full = `{"resourceMetrics":[{"schemaUrl":"s","resource":{"attributes":[{"key":"service.name","value":{"stringValue":"cart"}},{"key":"process.pid","value":{"intValue":"7"}}]},
  "scopeMetrics":[{"scope":{"name":"lib","version":"1"},"metrics":${metrics}}]}]}`;
const small = `{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"x","gauge":{"dataPoints":[{"timeUnixNano":"1","asInt":"1"}]}}]}]}]}`;
const jsonMessages = [full, JSON.stringify(JSON.parse(full)), small, '{"resourceMetrics":[]}'].map((text) =>
  Buffer.from(text),
);

function toProtobuf(json: Buffer): Buffer {
  const writer = new WireWriter();
  encodeExportMetricsServiceRequest(readExportMetricsServiceRequest(JSON.parse(json.toString())), writer);
  return Buffer.from(writer.finish());
}

/** One decoder for all, so that what was learnt of one mutant meets the next. */
const decoder = createMetricsDecoder({ maxSamples: 10_000, maxKnownBytes: 512 * 1024 });

export const otlpMetricsJson: DecoderUnderTest = {
  name: 'otlp-metrics-json',
  validMessages: jsonMessages,
  tokens: [
    ...['"', ',', '{', '}', '[', ']', ':', '\\', '\\ud800', 'null', 'true', '0', '-0', '1e3', '-', '\xff', '__proto__'],
    ...['"asInt":9223372036854775808,', '"asDouble":"NaN",', '"asInt":1,"asDouble":2,', '"flags":1,', '"name":"",'],
    ...['"aggregationTemporality":"AGGREGATION_TEMPORALITY_DELTA",', '"isMonotonic":false,', '"data_points":[{}],'],
    ...[
      '"timeUnixNano":"18446744073709551615",',
      '"count":"18446744073709551615",',
      '"explicitBounds":[1,1,"Infinity"],',
    ],
    ...['"key":"__name__",', '"key":"le",', '"key":"job",', '"gauge":{},', '"histogram":{"dataPoints":[{}]},'],
  ],
  decode: (message) => decodeMetrics(decoder, message, 'json'),
};

export const otlpMetricsProtobuf: DecoderUnderTest = {
  name: 'otlp-metrics-protobuf',
  validMessages: jsonMessages.map(toProtobuf),
  tokens: [
    ...['\0', '\x0a', '\x0a\0', '\x12', '\x1a', '\x2a', '\x3a', '\x4a', '\x52', '\x5a', '\x0b', '\x0c', '\x19', '\x21'],
    ...['\xff\xff\xff\xff\x0f', '\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01', '\x80', '\x7f', '\xff', '\xc3\x28'],
    ...['\x0a\xff\xff\xff\xff\x07', '\xfa\x3f\x02ab', '\x10\x01', '\x18\x01', '\x40\x01', '\x0a\x08__name__'],
    ...['\x21\x02\0\0\0\0\0\xf0\x7f', '\x32\x08\xff\xff\xff\xff\xff\xff\xff\xff', '\x3a\x08\0\0\0\0\0\0\xf0\x7f'],
  ],
  decode: (message) => decodeMetrics(decoder, message, 'protobuf'),
};
