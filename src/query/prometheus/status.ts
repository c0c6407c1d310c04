/** What Prometheus tells of itself under `/api/v1/status/`: Grafana, Kiali and Flagger read from it which calls they may make. */
import type { Counted, SeriesStatistics } from '../../store/readers/series-statistics.ts';
import type { Parameters } from '../parameters.ts';
import { printDuration } from '../promql/print.ts';
import type { QueryRequest, QueryRoute } from '../query-route.ts';
import { type Answer, answerData } from './answer.ts';
import { BadParameter, maxInt64, wholeNumberFault } from './parameters.ts';
import { getRoute } from './routes.ts';

/** The Prometheus whose API and PromQL this is: clients choose their calls by it. */
export const spokenVersion = '3.5.0';

export interface StatusSource {
  /** Of this program. */
  readonly version: string;
  /** When the agent was started. */
  readonly startedMs: number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly limits: {
    readonly timeoutMs: number;
    readonly lookbackMs: number;
    readonly maxSamples: number;
    readonly maxConcurrent: number;
  };
  /** How long samples are kept. */
  readonly retentionMs: number | 'forever';
  /** How many bytes all tables may take, with its unit; undefined for no cap. */
  readonly maxSize: string | undefined;
  /** Where everything is served. */
  readonly listenAddress: string;
  /** How often each target is scraped. */
  scrapeIntervalsMs(): readonly number[];
  /** The outcome of the last reload, or of the start. */
  configuration(): { readonly isCurrent: boolean; readonly loadedMs: number };
  /** Of what has samples since `startMs`. */
  statistics(
    what: { readonly startMs: number; readonly limit: number },
    signal: AbortSignal,
  ): Promise<SeriesStatistics>;
}

/** There is no "for ever" among Prometheus's durations, and clients parse this one; it is still within their 292 years. */
const foreverMs = 100 * 365 * 86_400_000;

const retentionOf = ({ retentionMs }: StatusSource): string =>
  printDuration(retentionMs === 'forever' ? foreverMs : retentionMs);

const defaultIntervalMs = 15_000;

/** The interval of most targets, the longer of two as frequent ones: a `rate()` over too short a window shows nothing. */
export function usualInterval(intervalsMs: readonly number[]): number {
  const counts = new Map<number, number>();
  for (const intervalMs of intervalsMs) counts.set(intervalMs, (counts.get(intervalMs) ?? 0) + 1);
  const ranked = [...counts].sort((a, b) => b[1] - a[1] || b[0] - a[0]);
  return ranked[0]?.[0] ?? defaultIntervalMs;
}

/** RFC 3339 in whole seconds, as Prometheus tells the time of its configuration. */
const wholeSeconds = (timeMs: number): string => new Date(timeMs).toISOString().replace(/\.\d+Z$/, 'Z');

const buildInfo = ({ version }: StatusSource): Answer =>
  // No `features`: Grafana takes who has them for Mimir.
  answerData(
    JSON.stringify({
      version: spokenVersion,
      revision: `trawl-${version}`,
      branch: 'trawl',
      buildUser: 'trawl',
      buildDate: '',
      goVersion: '',
    }),
  );

function configuration(source: StatusSource): Answer {
  const interval = printDuration(usualInterval(source.scrapeIntervalsMs()));
  const yaml = `global:\n  scrape_interval: ${interval}\n  scrape_timeout: ${interval}\n  evaluation_interval: 1m\n`;
  return answerData(JSON.stringify({ yaml }));
}

function runtimeInfo(source: StatusSource): Answer {
  const { isCurrent, loadedMs } = source.configuration();
  return answerData(
    JSON.stringify({
      startTime: new Date(source.startedMs).toISOString(),
      CWD: process.cwd(),
      serverTime: new Date(source.now()).toISOString(),
      reloadConfigSuccess: isCurrent,
      lastConfigTime: wholeSeconds(loadedMs),
      corruptionCount: 0,
      // Of Go's runtime there is nothing to tell, and a client may want the fields.
      goroutineCount: 0,
      GOMAXPROCS: 1,
      GOMEMLIMIT: 0,
      GOGC: '',
      GODEBUG: '',
      storageRetention:
        source.maxSize === undefined ? retentionOf(source) : `${retentionOf(source)} or ${source.maxSize}`,
    }),
  );
}

const flags = (source: StatusSource): Answer =>
  answerData(
    JSON.stringify({
      'enable-feature': '',
      'query.lookback-delta': printDuration(source.limits.lookbackMs),
      'query.max-concurrency': String(source.limits.maxConcurrent),
      'query.max-samples': String(source.limits.maxSamples),
      'query.timeout': printDuration(source.limits.timeoutMs),
      'storage.tsdb.retention.size': source.maxSize ?? '0B',
      'storage.tsdb.retention.time': retentionOf(source),
      'web.cors.origin': '',
      'web.enable-admin-api': 'false',
      'web.enable-lifecycle': 'true',
      'web.enable-remote-write-receiver': 'true',
      'web.external-url': '',
      'web.listen-address': source.listenAddress,
    }),
  );

const defaultListed = 10;
const maxListed = 10_000;

function tsdbLimit(parameters: Parameters): number {
  const text = parameters('limit');
  if (text === '') return defaultListed;
  const limit = wholeNumberFault(text, { name: 'Atoi', most: maxInt64 }) === undefined ? Number(text) : 0;
  if (limit < 1) throw new BadParameter('limit must be a positive number');
  if (limit > maxListed) throw new BadParameter(`limit must not exceed ${maxListed}`);
  return limit;
}

const dayMs = 86_400_000;
/** What Prometheus says of a head without samples; no number of JavaScript's is as large. */
const noFirst = '9223372036854775807';
const noLast = '-9223372036854775808';

const countedJson = (items: readonly Counted[]): string => JSON.stringify(items);

/** The head is what has samples today or yesterday. */
async function tsdb(source: StatusSource, parameters: Parameters, { signal }: QueryRequest): Promise<Answer> {
  const limit = tsdbLimit(parameters);
  const startMs = (Math.floor(source.now() / dayMs) - 1) * dayMs;
  const found = await source.statistics({ startMs, limit }, signal);
  return answerData(
    `{"headStats":{"numSeries":${found.series},"numLabelPairs":${found.labelPairs},"chunkCount":${found.sampleParts},` +
      `"minTime":${found.firstSampleMs ?? noFirst},"maxTime":${found.lastSampleMs ?? noLast}},` +
      `"seriesCountByMetricName":${countedJson(found.seriesByMetric)},` +
      `"labelValueCountByLabelName":${countedJson(found.valuesByLabel)},` +
      `"memoryInBytesByLabelName":${countedJson(found.valueBytesByLabel)},` +
      `"seriesCountByLabelValuePair":${countedJson(found.seriesByPair)}}`,
  );
}

/** The routes under `/api/v1/status/`. */
export const createStatusRoutes = (source: StatusSource): readonly QueryRoute[] => [
  getRoute('/api/v1/status/buildinfo', () => buildInfo(source)),
  getRoute('/api/v1/status/config', () => configuration(source)),
  getRoute('/api/v1/status/runtimeinfo', () => runtimeInfo(source)),
  // Samples are written where they are read: there is nothing to replay.
  getRoute('/api/v1/status/walreplay', () => answerData('{"min":0,"max":0,"current":0}')),
  getRoute('/api/v1/status/flags', () => flags(source)),
  getRoute('/api/v1/status/tsdb', (parameters, request) => tsdb(source, parameters, request)),
];
