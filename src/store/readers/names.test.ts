import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { insertSpans } from '../../../test/fixtures/search-spans.ts';
import { startTestStore, type TestStore } from '../../../test/fixtures/test-store.ts';
import { emptyResource } from '../../model/resource.ts';
import type { Span } from '../../model/span.ts';
import { structureOf } from '../writers/native-block.ts';
import { createSpanEncoder, spanColumns } from '../writers/spans.ts';
import { operationsOf, remoteServiceNames, serviceNames, tagValues } from './names.ts';

let store: TestStore;
const signal = (): AbortSignal => AbortSignal.timeout(10_000);
const endpoint = (serviceName: string | undefined) => ({
  serviceName,
  ipv4: '10.0.0.1',
  ipv6: undefined,
  port: undefined,
});

const span = (local: string | undefined, name: string, rest: Partial<Span> = {}): Span => ({
  traceId: '0000000000000000000000000000000a',
  id: '000000000000000b',
  parentId: undefined,
  kind: undefined,
  shared: false,
  debug: false,
  name,
  startUs: 1_472_470_996_199_000,
  durationUs: undefined,
  status: 'unset',
  localEndpoint: endpoint(local),
  remoteEndpoint: undefined,
  events: [],
  attributes: {},
  resource: emptyResource,
  ...rest,
});

async function insert(seg: number, spans: readonly Span[]): Promise<void> {
  const names = spanColumns.map(([name]) => name).join(', ');
  await store.client.insert({
    sql: `INSERT INTO spans (${names}, seg) SELECT ${names}, ${seg} FROM input('${structureOf(spanColumns).replaceAll("'", "\\'")}')`,
    body: createSpanEncoder()(spans, 1_472_470_996_000),
    deduplicationToken: `test-${seg}`,
    signal: signal(),
  });
}

beforeAll(async () => {
  store = await startTestStore();
  await insert(1, [
    span('Web', 'get /', { kind: 'SERVER' }),
    span('Web', 'get /', { kind: 'SERVER' }),
    span('web', 'get /', { kind: 'CLIENT', remoteEndpoint: endpoint('API') }),
    span('web', ''),
    span(undefined, 'nobody'),
  ]);
  await insert(2, [span('api', 'load', { remoteEndpoint: endpoint('db') }), span("it's", 'quoted')]);
}, 60_000);

afterAll(() => store.stop());

describe('names', () => {
  it('of services are given once each, as they were spelled', async () => {
    const names = await serviceNames(store.client, { signal: signal() });
    expect(names.sort()).toEqual(['Web', 'api', "it's", 'web']);
  });

  it('of operations are those of the service in any spelling, by kind', async () => {
    const operations = await operationsOf(store.client, 'WEB', { signal: signal() });
    expect(operations).toHaveLength(2);
    expect(operations).toContainEqual({ name: 'get /', kind: 'SERVER' });
    expect(operations).toContainEqual({ name: 'get /', kind: 'CLIENT' });
    expect(await operationsOf(store.client, "it's", { signal: signal() })).toEqual([
      { name: 'quoted', kind: undefined },
    ]);
  });

  it('of remote services are those that the service called', async () => {
    expect(await remoteServiceNames(store.client, 'web', { signal: signal() })).toEqual(['API']);
    expect(await remoteServiceNames(store.client, 'nobody', { signal: signal() })).toEqual([]);
  });

  it.each([
    "SELECT local_service FROM spans WHERE local_service != '' GROUP BY local_service",
    "SELECT name, kind FROM spans WHERE lower(local_service) = lower('web') AND name != '' GROUP BY name, kind",
  ])('are not gathered from the spans: %s', async (sql) => {
    const plan = await store.client.rows<{ explain: string }>({ sql: `EXPLAIN ${sql}`, signal: signal() });
    expect(plan.map(({ explain }) => explain).join('\n')).toContain('ReadFromMergeTree (names)');
  });

  it('go with the segment that brought them', async () => {
    await store.client.command({ sql: 'DELETE FROM spans WHERE seg = 2', signal: signal() });
    expect((await serviceNames(store.client, { signal: signal() })).sort()).toEqual(['Web', 'web']);
  });

  it('of services are the same in any case, whatever the script, and so are values of tags found', async () => {
    const at = (local: string) =>
      span(local, 'load', { startUs: Date.now() * 1000, attributes: { zone: `of ${local}` } });
    await insertSpans(store.client, [at('ŽLUŤ'), at('žluť')], Date.now());
    expect(await operationsOf(store.client, 'žluť', { signal: signal() })).toEqual([{ name: 'load', kind: undefined }]);
    const values = await tagValues(store.client, 'zone', { signal: signal() });
    expect(values.sort()).toEqual(['of ŽLUŤ', 'of žluť']);
    expect(await tagValues(store.client, "it's", { signal: signal() })).toEqual([]);
  });
});
