/** OTLP through the store and out again: what is read of a request and stored gives the same request. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeJsonSpans } from '../../src/codec/otlp/decode-spans.ts';
import { encodeJsonSpans } from '../../src/codec/otlp/encode-spans.ts';
import { storeTables } from '../../src/store/intake/sections.ts';
import { insertSql } from '../../src/store/intake/segment-sender.ts';
import { traceById } from '../../src/store/readers/spans.ts';
import { createSpanEncoder } from '../../src/store/writers/spans.ts';
import { startTestStore, type TestStore } from '../fixtures/test-store.ts';

const signal = new AbortController().signal;
const traceId = '0af7651916cd43dd8448eb211c80319c';
const startNs = 1_795_253_305_853_895_123n;
const text = (key: string, stringValue: string) => ({ key, value: { stringValue } });

/** Attributes stand in the order of their keys, as the store gives them back. */
const span = (number: number) => ({
  traceId,
  spanId: (number + 1).toString(16).padStart(16, '0'),
  parentSpanId: 'b7ad6b7169203331',
  traceState: 'vendor=abc',
  flags: 257,
  name: `GET /${number}`,
  kind: 1 + (number % 5),
  startTimeUnixNano: String(startNs + BigInt(number) * 1001n),
  endTimeUnixNano: String(startNs + BigInt(number) * 1001n + 999n),
  attributes: [
    { key: 'bool', value: { boolValue: false } },
    { key: 'bytes', value: { bytesValue: 'AAECAw==' } },
    { key: 'double', value: { doubleValue: 0.1 } },
    { key: 'empty', value: {} },
    { key: 'int', value: { intValue: '9223372036854775807' } },
    { key: 'list', value: { arrayValue: { values: [{ stringValue: 'a' }, { intValue: '1' }, { arrayValue: {} }] } } },
    { key: 'map', value: { kvlistValue: { values: [text('z', 'v'), { key: 'n', value: { intValue: '2' } }] } } },
    text('text', 'žlutý 🐟'),
  ],
  droppedAttributesCount: 1,
  events: [
    {
      timeUnixNano: String(startNs + 7n),
      name: 'late',
      attributes: [{ key: 'n', value: { intValue: '2' } }],
      droppedAttributesCount: 3,
    },
    { timeUnixNano: String(startNs + 2n), name: 'early' },
  ],
  droppedEventsCount: 4,
  links: [
    {
      traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
      spanId: '00f067aa0ba902b7',
      traceState: 'a=b',
      attributes: [text('why', 'batch')],
      droppedAttributesCount: 5,
      flags: 1,
    },
  ],
  droppedLinksCount: 6,
  status: number % 2 === 0 ? { message: 'refused', code: 2 } : {},
});

const scope = (name: string, spans: readonly object[]) => ({
  scope: { name, version: '2.1', attributes: [{ key: 'lib', value: { boolValue: true } }], droppedAttributesCount: 7 },
  spans,
  schemaUrl: 'https://opentelemetry.io/schemas/1.30.0',
});

const resource = (service: string, scopeSpans: readonly object[]) => ({
  resource: {
    attributes: [
      text('k8s.pod.name', `${service}-1`),
      { key: 'process.pid', value: { intValue: '42' } },
      text('service.name', service),
    ],
    droppedAttributesCount: 8,
    entityRefs: [{ schemaUrl: 's', type: 'service', idKeys: ['service.name'], descriptionKeys: ['process.pid'] }],
  },
  scopeSpans,
  schemaUrl: 'https://opentelemetry.io/schemas/1.31.0',
});

describe('OTLP through the store', () => {
  let store: TestStore;
  beforeAll(async () => {
    store = await startTestStore();
  });
  afterAll(() => store.stop());

  it('gives back the same request: resources, scopes and spans in groups, every nanosecond, every type', async () => {
    const request = {
      resourceSpans: [
        resource('cart', [scope('http', [span(0), span(1)]), scope('grpc', [span(2)])]),
        resource('checkout', [scope('http', [span(3), span(4)])]),
      ],
    };
    const { spans } = decodeJsonSpans(Buffer.from(JSON.stringify(request)));
    const table = storeTables.find((entry) => entry.table === 'spans');
    if (table === undefined) throw new Error('no such table');
    const body = Buffer.from(createSpanEncoder()(spans, Number(startNs / 1_000_000n)));
    await store.client.insert({ sql: insertSql(table, 7n), body, deduplicationToken: 't', signal });
    const found = await traceById(store.client, traceId, { signal });
    expect(JSON.parse(encodeJsonSpans(found))).toEqual(request);
  });
});
