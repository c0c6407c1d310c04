import { describe, expect, it } from 'vitest';
import { StoreError } from '../../store/client.ts';
import type { SeriesStatistics } from '../../store/readers/series-statistics.ts';
import { createRuleRoutes } from './rules.ts';
import { createStatusRoutes, type StatusSource, usualInterval } from './status.ts';

const nowMs = Date.parse('2026-11-21T12:00:00.250Z');

const empty: SeriesStatistics = {
  series: 0,
  labelPairs: 0,
  sampleParts: 0,
  firstSampleMs: undefined,
  lastSampleMs: undefined,
  seriesByMetric: [],
  valuesByLabel: [],
  valueBytesByLabel: [],
  seriesByPair: [],
};

const source: StatusSource = {
  version: '0.1.0',
  startedMs: nowMs - 5_000,
  now: () => nowMs,
  limits: { timeoutMs: 10_000, lookbackMs: 300_000, maxSamples: 4_000_000, maxConcurrent: 4 },
  retentionMs: 15 * 86_400_000,
  maxSize: '20GiB',
  listenAddress: '127.0.0.1:9529',
  scrapeIntervalsMs: () => [],
  configuration: () => ({ isCurrent: true, loadedMs: nowMs - 4_000 }),
  statistics: () => Promise.resolve(empty),
};

async function ask(url: string, changed: Partial<StatusSource> = {}) {
  const [path, query = ''] = url.split('?');
  const routes = [...createStatusRoutes({ ...source, ...changed }), ...createRuleRoutes()];
  const route = routes.find((each) => each.path === `/api/v1/${path}`);
  if (route === undefined) throw new Error(`no route ${path}`);
  const signal = new AbortController().signal;
  const { status, body, contentType } = await route.handle({
    params: {},
    query: new URLSearchParams(query),
    form: undefined,
    signal,
  });
  expect(contentType).toBe('application/json');
  return { status, text: body.toString() };
}

const data = async (url: string, changed?: Partial<StatusSource>) => JSON.parse((await ask(url, changed)).text).data;

describe('rules, alerts and alertmanagers', () => {
  it.each([
    ['rules', '{"groups":[]}'],
    ['rules?type=alert', '{"groups":[]}'],
    ['rules?type=RECORD&exclude_alerts=true&group_limit=10&rule_name[]=x&match[]=up', '{"groups":[]}'],
    ['alerts', '{"alerts":[]}'],
    ['alertmanagers', '{"activeAlertmanagers":[],"droppedAlertmanagers":[]}'],
  ])('%s answers that there are none, in the shape of Prometheus', async (url, expected) => {
    expect(await ask(url)).toEqual({ status: 200, text: `{"status":"success","data":${expected}}` });
  });

  it.each([
    ['type=x', 'invalid parameter "type": not supported value "x"'],
    [
      'exclude_alerts=x',
      'invalid parameter "exclude_alerts": error converting exclude_alerts: strconv.ParseBool: parsing "x": invalid syntax',
    ],
    ['group_limit=0', 'invalid parameter "group_limit": group_limit needs to be greater than 0'],
    [
      'group_limit=x',
      'invalid parameter "group_limit": group_limit needs to be a valid number: strconv.ParseInt: parsing "x": invalid syntax',
    ],
    [
      'group_next_token=x',
      'invalid parameter "group_next_token": group_limit needs to be present in order to paginate over the groups',
    ],
    [
      'group_limit=1&group_next_token=x',
      'invalid parameter "group_next_token": invalid group_next_token \'x\'. were rule groups changed?',
    ],
    [
      'group_limit=2147483648',
      'invalid parameter "group_limit": group_limit needs to be a valid number: strconv.ParseInt: parsing "2147483648": value out of range',
    ],
    ['match[]={', '1:2: parse error: unexpected end of input inside braces'],
  ])('rules?%s is refused', async (query, error) => {
    const { status, text } = await ask(`rules?${query}`);
    expect([status, JSON.parse(text)]).toEqual([400, { status: 'error', errorType: 'bad_data', error }]);
  });
});

describe('the status of a Prometheus', () => {
  it('has a version that clients choose their calls by, and no features, which would make it a Mimir', async () => {
    expect(await data('status/buildinfo')).toEqual({
      version: expect.stringMatching(/^3\.\d+\.\d+$/),
      revision: 'trawl-0.1.0',
      branch: 'trawl',
      buildUser: 'trawl',
      buildDate: '',
      goVersion: '',
    });
  });

  it('has a configuration with the interval of most targets, and 15s where there are none', async () => {
    expect(await data('status/config')).toEqual({
      yaml: 'global:\n  scrape_interval: 15s\n  scrape_timeout: 15s\n  evaluation_interval: 1m\n',
    });
    const { yaml } = await data('status/config', { scrapeIntervalsMs: () => [10_000, 90_000, 90_000] });
    expect(yaml).toContain('scrape_interval: 1m30s\n');
    expect(usualInterval([10_000, 30_000])).toBe(30_000);
  });

  it.each<[Partial<StatusSource>, string]>([
    [{}, '15d or 20GiB'],
    [{ maxSize: undefined }, '15d'],
    [{ maxSize: undefined, retentionMs: 7 * 86_400_000 }, '1w'],
    [{ maxSize: undefined, retentionMs: 'forever' }, '100y'],
  ])('says how long samples are kept, as Prometheus spells it (%#)', async (changed, expected) => {
    expect((await data('status/runtimeinfo', changed)).storageRetention).toBe(expected);
    expect((await data('status/flags', changed))['storage.tsdb.retention.time']).toBe(
      expected.replace(' or 20GiB', ''),
    );
  });

  it('tells when it began and whether the last reload was taken', async () => {
    expect(await data('status/runtimeinfo')).toMatchObject({
      startTime: '2026-11-21T11:59:55.250Z',
      serverTime: '2026-11-21T12:00:00.250Z',
      lastConfigTime: '2026-11-21T11:59:56Z',
      reloadConfigSuccess: true,
    });
    const configuration = () => ({ isCurrent: false, loadedMs: 0 });
    expect((await data('status/runtimeinfo', { configuration })).reloadConfigSuccess).toBe(false);
  });

  it('has its limits among its flags, all of them texts', async () => {
    const flags = await data('status/flags');
    expect(flags).toMatchObject({ 'query.timeout': '10s', 'query.max-concurrency': '4', 'query.lookback-delta': '5m' });
    expect(Object.values(flags).every((value) => typeof value === 'string')).toBe(true);
  });

  it('has an empty head as Prometheus writes it', async () => {
    expect(await ask('status/tsdb')).toEqual({
      status: 200,
      text: '{"status":"success","data":{"headStats":{"numSeries":0,"numLabelPairs":0,"chunkCount":0,"minTime":9223372036854775807,"maxTime":-9223372036854775808},"seriesCountByMetricName":[],"labelValueCountByLabelName":[],"memoryInBytesByLabelName":[],"seriesCountByLabelValuePair":[]}}',
    });
  });

  it('asks the store for ten of each list since yesterday, or as many as it is asked for', async () => {
    const asked: unknown[] = [];
    const statistics: StatusSource['statistics'] = (what) => {
      asked.push(what);
      return Promise.resolve({
        ...empty,
        series: 1,
        firstSampleMs: 1,
        lastSampleMs: 2,
        seriesByMetric: [{ name: 'up', value: 1 }],
      });
    };
    const found = await data('status/tsdb', { statistics });
    await ask('status/tsdb?limit=3', { statistics });
    const startMs = Date.parse('2026-11-20T00:00:00Z');
    expect(asked).toEqual([
      { startMs, limit: 10 },
      { startMs, limit: 3 },
    ]);
    expect(found).toMatchObject({
      headStats: { numSeries: 1, minTime: 1, maxTime: 2 },
      seriesCountByMetricName: [{ name: 'up', value: 1 }],
    });
  });

  it.each([
    ['0', 'limit must be a positive number'],
    ['x', 'limit must be a positive number'],
    ['-1', 'limit must be a positive number'],
    ['10001', 'limit must not exceed 10000'],
  ])('refuses the limit %s', async (limit, error) => {
    const { status, text } = await ask(`status/tsdb?limit=${limit}`);
    expect([status, JSON.parse(text).error]).toEqual([400, error]);
  });

  it('answers 503 while the store is away', async () => {
    const statistics = () => Promise.reject(new StoreError('it is restarting', { isRetryable: true }));
    expect((await ask('status/tsdb', { statistics })).status).toBe(503);
  });
});
