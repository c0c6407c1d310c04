import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../../../test/fixtures/random.ts';
import { randomDetails } from '../../../test/fixtures/random-details.ts';
import { startTestStore, type TestStore } from '../../../test/fixtures/test-store.ts';
import type { AttributeValue } from '../../model/attribute.ts';
import { emptyResource } from '../../model/resource.ts';
import type { Span } from '../../model/span.ts';
import type { SpanDetails } from '../../model/span-details.ts';
import { storeTables } from '../intake/sections.ts';
import { insertSql } from '../intake/segment-sender.ts';
import { traceById } from '../readers/spans.ts';
import { detailKeyValues } from '../schema/migrations.ts';
import { createSpanEncoder } from './spans.ts';

const signal = new AbortController().signal;
const nowMs = Date.UTC(2026, 10, 21);
const traceId = 'b'.repeat(32);

const spanOf = (number: number, details: SpanDetails | undefined): Span => ({
  traceId,
  id: (number + 1).toString(16).padStart(16, '0'),
  parentId: undefined,
  kind: 'INTERNAL',
  shared: false,
  debug: false,
  name: 'work',
  startUs: nowMs * 1000 + number,
  durationUs: 1,
  status: 'unset',
  localEndpoint: undefined,
  remoteEndpoint: undefined,
  events: details?.events.map(() => ({ timestampUs: 1, value: 'e' })) ?? [],
  attributes: {},
  resource: { ...emptyResource, attributes: { 'host.name': 'node-1' } },
  details,
});

describe('what only OpenTelemetry says of a span', () => {
  let store: TestStore;
  const insert = async (spans: readonly Span[], token: string) => {
    const table = storeTables.find((entry) => entry.table === 'spans');
    if (table === undefined) throw new Error('no such table');
    const body = Buffer.from(createSpanEncoder()(spans, nowMs));
    await store.client.insert({ sql: insertSql(table, 7n), body, deduplicationToken: token, signal });
  };
  const idsWith = async (tag: string) => {
    const rows = await store.client.rows<{ id: string }>({
      sql: `SELECT toString(id) AS id FROM spans WHERE has(${detailKeyValues}, {tag:String}) AND ts >= '2026-11-22' ORDER BY id`,
      parameters: { tag },
      signal,
    });
    return rows.map(({ id }) => Number(id));
  };
  beforeAll(async () => {
    store = await startTestStore();
  });
  afterAll(() => store.stop());

  it('comes back from the store as it was, every type of value and every bit of a number', async () => {
    const random = createRandom(4318);
    const shared = randomDetails(random, 0);
    const spans = Array.from({ length: 400 }, (_, number) => {
      const details = randomDetails(random, number % 3);
      if (number % 5 === 0) return spanOf(number, undefined);
      if (number % 5 === 1) return spanOf(number, { ...details, resource: shared.resource, scope: shared.scope });
      if (number % 5 === 2) return spanOf(number, { ...details, startRestNs: -(2 ** 31), endNs: 2n ** 64n - 1n });
      return spanOf(number, details);
    });
    await insert(spans, 'details');
    const found = await traceById(store.client, traceId, { signal });
    expect(found).toEqual(spans);
    const scopes = new Set(found.filter((_, number) => number % 5 === 1).map(({ details }) => details?.scope));
    expect(scopes.size, 'spans of one scope share it').toBe(1);
  });

  it('is found by the attributes of scope, events, links and resource, as text', async () => {
    const empty = { ...randomDetails(createRandom(1), 0), links: [], events: [] };
    const scope = {
      name: 'lib',
      version: '2.1',
      attributes: [['on', true]],
      droppedAttributes: 0,
      schemaUrl: '',
    } as const;
    const event = { restNs: 0, attributes: [['n', 7n]], droppedAttributes: 0 } as const;
    const link = {
      traceId: '',
      spanId: '',
      traceState: '',
      flags: 0,
      attributes: [
        [
          'list',
          [
            1n,
            'a',
            {
              entries: [
                ['b', 2n],
                ['a', 0.5],
              ],
            },
          ],
        ],
      ],
      droppedAttributes: 0,
    } as const;
    const at = (number: number, details: SpanDetails) => ({
      ...spanOf(number, details),
      startUs: (nowMs + 86_400_000) * 1000,
    });
    await insert(
      [at(0, { ...empty, scope }), at(1, { ...empty, scope, events: [event] }), at(2, { ...empty, links: [link] })],
      'tags',
    );
    expect(await idsWith('otel.scope.name=lib')).toEqual([1, 2]);
    expect(await idsWith('otel.scope.version=2.1')).toEqual([1, 2]);
    expect(await idsWith('on=true')).toEqual([1, 2]);
    expect(await idsWith('n=7')).toEqual([2]);
    expect(await idsWith('list=[1,"a",{"a":0.5,"b":2}]')).toEqual([3]);
    expect(await idsWith('host.name=node-1')).toEqual([1, 2, 3]);
  });
});

describe('the encoder of spans', () => {
  it('writes the same for a scope after another could not be written', () => {
    const random = createRandom(1);
    const span = spanOf(1, randomDetails(random, 0));
    let deep: AttributeValue = 'x';
    for (let depth = 0; depth < 200_000; depth++) deep = [deep];
    const details = randomDetails(random, 1);
    const spoilt = spanOf(2, { ...details, scope: { ...details.scope, attributes: [['deep', deep]] } });
    const encode = createSpanEncoder();
    const first = Buffer.from(encode([span], nowMs));
    expect(() => encode([spoilt], nowMs)).toThrow(RangeError);
    expect(Buffer.from(encode([span], nowMs)).equals(first)).toBe(true);
  });
});
