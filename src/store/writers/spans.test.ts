import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../../../test/fixtures/random.ts';
import { startTestStore, type TestStore } from '../../../test/fixtures/test-store.ts';
import { emptyResource } from '../../model/resource.ts';
import { type Span, spanKinds, spanStatuses } from '../../model/span.ts';
import { storeTables } from '../intake/sections.ts';
import { insertSql } from '../intake/segment-sender.ts';
import { traceById } from '../readers/spans.ts';
import { createSpanEncoder, filedUs, isCanonicalUuid } from './spans.ts';

const signal = new AbortController().signal;
const nowMs = Date.UTC(2026, 10, 21);
const traceId = 'a'.repeat(32);

const base: Span = {
  traceId,
  id: '0000000000000001',
  parentId: undefined,
  kind: undefined,
  shared: false,
  debug: false,
  name: '',
  startUs: nowMs * 1000,
  durationUs: undefined,
  status: 'unset',
  localEndpoint: undefined,
  remoteEndpoint: undefined,
  events: [],
  attributes: {},
  resource: emptyResource,
};

const strings = [
  '',
  'a',
  'ü',
  'a\u0000b',
  '漢字'.repeat(40),
  'x'.repeat(127),
  'é'.repeat(64),
  'é'.repeat(70_000),
  '😀',
  "'; DROP TABLE spans --",
];

/** A span of random content, its id from its number. */
function randomSpan(random: () => number, number: number): Span {
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  const endpoint = () =>
    pick([
      undefined,
      {
        serviceName: pick(strings.slice(1)),
        ipv4: pick([undefined, '10.0.0.1', '255.255.255.255']),
        ipv6: pick([undefined, '2001:db8::1']),
        port: pick([undefined, 1, 65_535]),
      },
    ]);
  return {
    ...base,
    id: (number + 1).toString(16).padStart(16, '0'),
    parentId: pick([undefined, 'ffffffffffffffff', '00000000000000ab']),
    kind: pick([undefined, ...spanKinds]),
    shared: random() < 0.5,
    debug: random() < 0.5,
    name: pick(strings),
    startUs: pick([
      undefined,
      1,
      nowMs * 1000,
      (nowMs + 3 * 86_400_000) * 1000,
      2 ** 53,
      2 ** 60 + 2 ** 10,
      2 ** 63 - 1024,
    ]),
    durationUs: pick([undefined, 1, 2 ** 53 - 1]),
    ...pick([{}, {}, { startUs: 2 ** 63 - 1024, startRestUs: 1023 }, { durationUs: 2 ** 60, durationRestUs: -1 }]),
    status: pick(spanStatuses),
    localEndpoint: endpoint(),
    remoteEndpoint: endpoint(),
    events: pick([
      [],
      [
        { timestampUs: 5, value: pick(strings) },
        { timestampUs: nowMs * 1000, value: 'b' },
      ],
      [{ timestampUs: -(2 ** 62), value: 'early', restUs: 3 }],
    ]),
    attributes: pick([
      {},
      { a: pick(strings), b: '' },
      { 'guid:x-request-id': '3ff71e41-2aaf-9c85-9db6-86fe357e6c1a', z: '1' },
      { 'guid:x-request-id': '3FF71E41-2AAF-9C85-9DB6-86FE357E6C1A' },
      { 'guid:x-request-id': '00000000-0000-0000-0000-000000000000' },
    ]),
    resource: pick([
      emptyResource,
      {
        service: 's',
        namespace: 'n',
        pod: 'p',
        container: 'c',
        node: 'm',
        version: 'v',
        attributes: { cluster: 'west' },
      },
    ]),
  };
}

describe('spans as rows', () => {
  let store: TestStore;
  beforeAll(async () => {
    store = await startTestStore();
  });
  afterAll(() => store.stop());

  it('come back from the store as they were, whatever they hold', async () => {
    const random = createRandom(20_261_121);
    const spans = Array.from({ length: 600 }, (_, number) => randomSpan(random, number));
    const encode = createSpanEncoder();
    const table = storeTables.find((entry) => entry.table === 'spans');
    if (table === undefined) throw new Error('no such table');
    const body = Buffer.concat([Buffer.from(encode(spans.slice(0, 300), nowMs)), encode(spans.slice(300), nowMs)]);
    await store.client.insert({ sql: insertSql(table, 7n), body, deduplicationToken: 't', signal });
    const found = await traceById(store.client, traceId, { signal });
    const byId = (a: Span, b: Span) => (a.id < b.id ? -1 : 1);
    expect([...found].sort(byId)).toEqual(spans);
  });

  it('are filed under their arrival when they have no start, or one more than a day ahead', () => {
    expect(filedUs({ ...base, startUs: undefined }, nowMs)).toBe(nowMs * 1000);
    expect(filedUs({ ...base, startUs: (nowMs + 86_400_000) * 1000 }, nowMs)).toBe((nowMs + 86_400_000) * 1000);
    expect(filedUs({ ...base, startUs: (nowMs + 86_400_000) * 1000 + 1 }, nowMs)).toBe(nowMs * 1000);
  });

  it('keep a request id apart only when it is spelled so that it can be given back', () => {
    expect(isCanonicalUuid('3ff71e41-2aaf-9c85-9db6-86fe357e6c1a')).toBe(true);
    expect(isCanonicalUuid('3FF71E41-2aaf-9c85-9db6-86fe357e6c1a')).toBe(false);
    expect(isCanonicalUuid('00000000-0000-0000-0000-000000000000')).toBe(false);
    expect(isCanonicalUuid('3ff71e412aaf9c859db686fe357e6c1a')).toBe(false);
  });
});
