/** The decoders of OTLP as the decoder kit has them. */
import { decodeJsonSpans, decodeProtobufSpans } from '../../src/codec/otlp/decode-spans.ts';
import { encodeJsonSpans, encodeProtobufSpans } from '../../src/codec/otlp/encode-spans.ts';
import type { DecoderUnderTest } from './decoder-kit.ts';

const spans = `[{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331","parentSpanId":"00f067aa0ba902b7","traceState":"a=b","flags":257,
  "name":"GET /items/{id}","kind":2,"startTimeUnixNano":"1795253305853895123","endTimeUnixNano":"1795253305953895124","droppedAttributesCount":1,
  "attributes":[{"key":"http.route","value":{"stringValue":"/items/ž"}},{"key":"int","value":{"intValue":"-9223372036854775808"}},{"key":"yes","value":{"boolValue":true}},
    {"key":"double","value":{"doubleValue":0.1}},{"key":"bytes","value":{"bytesValue":"AAECAw=="}},{"key":"empty","value":{}},
    {"key":"list","value":{"arrayValue":{"values":[{"stringValue":"a"},{"intValue":"1"},{"kvlistValue":{"values":[{"key":"k","value":{"boolValue":false}}]}}]}}}],
  "events":[{"timeUnixNano":"1795253305853999999","name":"exception","attributes":[{"key":"exception.type","value":{"stringValue":"E"}}]}],
  "links":[{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7","flags":1,"attributes":[{"key":"why","value":{"stringValue":"batch"}}]}],
  "status":{"code":2,"message":"refused"}},{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203332","status":{}}]`;
const full = `{"resourceSpans":[{"schemaUrl":"s","resource":{"attributes":[{"key":"service.name","value":{"stringValue":"cart"}},{"key":"process.pid","value":{"intValue":"7"}}],
  "entityRefs":[{"type":"service","idKeys":["service.name"]}]},"scopeSpans":[{"scope":{"name":"lib","version":"1","attributes":[{"key":"a","value":{"intValue":"1"}}]},"spans":${spans}}]}]}`;
const small =
  '{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331"}]}]}]}';
const jsonMessages = [full, JSON.stringify(JSON.parse(full)), small, '{"resourceSpans":[]}'].map((text) =>
  Buffer.from(text),
);

/** What was taken must also go out again, both ways. */
const decodeAndEncode = (decode: typeof decodeJsonSpans) => (message: Buffer) => {
  const { spans } = decode(message);
  return [encodeJsonSpans(spans), encodeProtobufSpans(spans)];
};

export const otlpJson: DecoderUnderTest = {
  name: 'otlp-json',
  validMessages: jsonMessages,
  tokens: [
    ...[
      '"',
      ',',
      '{',
      '}',
      '[',
      ']',
      ':',
      '\\',
      '\\u',
      '\\ud800',
      'null',
      'true',
      '0',
      '-0',
      '1e3',
      '1.5',
      '-',
      '\xff',
      '\xc3',
      '\n',
      '__proto__',
    ],
    ...[
      '"traceId":"ABCDEF",',
      '"spanId":"xyz",',
      '"kind":"SPAN_KIND_SERVER",',
      '"kind":99,',
      '"flags":4294967296,',
      '"start_time_unix_nano":1795253305853895123,',
    ],
    ...[
      '"endTimeUnixNano":"18446744073709551615",',
      '"timeUnixNano":"-1",',
      '"intValue":9223372036854775808,',
      '"intValue":1e18,',
      '"doubleValue":"NaN",',
      '"doubleValue":12345678901234567890,',
    ],
    ...[
      '"bytesValue":"_-8",',
      '{"arrayValue":{"values":[',
      '{"kvlistValue":{"values":[{"key":"k","value":',
      '"key":"__proto__",',
      '"attributes":null,',
      '"status":[],',
    ],
  ],
  decode: decodeAndEncode(decodeJsonSpans),
};

export const otlpProtobuf: DecoderUnderTest = {
  name: 'otlp-protobuf',
  validMessages: jsonMessages.map((message) => Buffer.from(encodeProtobufSpans(decodeJsonSpans(message).spans))),
  tokens: [
    ...[
      '\0',
      '\x0a',
      '\x0a\0',
      '\x12',
      '\x1a',
      '\x22',
      '\x2a',
      '\x32',
      '\x3a',
      '\x4a',
      '\x0b',
      '\x0c',
      '\x0f',
      '\x39',
      '\x08\x01',
      '\x85\x01',
    ],
    ...[
      '\xff\xff\xff\xff\x0f',
      '\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01',
      '\x80',
      '\x7f',
      '\xff',
      '\x0a\xff\xff\xff\xff\x07',
      '\xfa\x3f\x02ab',
      '\xc3\x28',
    ],
    ...[
      '\x2a\x06\x0a\x04\x2a\x02\x0a\x00',
      '\x4a\x04\x0a\x00\x12\x00',
      '\x4a\x0b\x0a\x09__proto__',
      '\x18\xff\xff\xff\xff\xff\xff\xff\xff\x7f',
    ],
  ],
  decode: decodeAndEncode(decodeProtobufSpans),
};
