/** What there is to ask about: series, the names and values of labels, metadata, exemplars, and what targets said of their metrics. */
import type { MetricMetadata } from '../../model/metric-metadata.ts';
import type { Label } from '../../model/sample.ts';
import type { SeriesExemplars } from '../../store/readers/exemplars.ts';
import type { LabelMatcher } from '../../store/readers/label-matcher.ts';
import type { Listed, SeriesSelection } from '../../store/readers/series.ts';
import { type Parameters, parametersOf } from '../parameters.ts';
import { PromqlError } from '../promql/error.ts';
import { parsePromql } from '../promql/parse/parse.ts';
import { planReads } from '../promql/plan.ts';
import type { QueryRequest, QueryResponse, QueryRoute } from '../query-route.ts';
import { type Answer, answerData, answerError, answerFor, envelope, truncated } from './answer.ts';
import type { Chunk } from './chunk.ts';
import { answerOf, listChunks } from './format.ts';
import { labelTexts, writeString } from './label-text.ts';
import { BadParameter, limitParameter, maxInt64, timeParameter, wholeNumberFault } from './parameters.ts';
import { matcherTest, matchParameters, selectorParameter } from './selectors.ts';
import { formatTimestamp, formatValue } from './value-text.ts';

/** A target that is scraped, and what its last exposition said of its metrics. */
export interface TargetMetadata {
  readonly labels: readonly Label[];
  readonly metadata: readonly MetricMetadata[];
}

/** What the listings read: the store's readers bound to a client, and the agent's own targets. */
export interface ListingSource {
  /** At most `limit` series, in the order of their labels. */
  series(selection: SeriesSelection, limit: number, signal: AbortSignal): Promise<Listed<readonly Label[]>>;
  labelNames(selection: SeriesSelection, limit: number, signal: AbortSignal): Promise<Listed<string>>;
  labelValues(
    name: string,
    selection: SeriesSelection & { readonly limit: number },
    signal: AbortSignal,
  ): Promise<Listed<string>>;
  /** Sorted by family. */
  metadata(family: string | undefined, signal: AbortSignal): Promise<readonly MetricMetadata[]>;
  exemplars(selection: Required<SeriesSelection>, signal: AbortSignal): Promise<readonly SeriesExemplars[]>;
  targets(): readonly TargetMetadata[];
}

/** More of a list than this is read by nobody; where `limit` asks for more, or for all, the answer is cut here and says so. */
const maxListed = 100_000;

const atMost = (limit: number): number => (limit > 0 ? Math.min(limit, maxListed) : maxListed);

const labelsJson = (labels: readonly Label[]): string => JSON.stringify(Object.fromEntries(labels));

/** What a listing is about. `matchName` is what an error calls its selectors; '' where Prometheus has no name for them. */
function selectionOf(request: QueryRequest, parameters: Parameters, matchName = ''): SeriesSelection {
  const startMs = parameters('start') === '' ? undefined : timeParameter(parameters, 'start', 0);
  const endMs = parameters('end') === '' ? undefined : timeParameter(parameters, 'end', 0);
  return {
    matchers: matchParameters(request, matchName),
    ...(startMs === undefined ? {} : { startMs }),
    ...(endMs === undefined ? {} : { endMs }),
  };
}

/** A list as the data of an answer. */
const answerList = <Item>(
  found: Listed<Item>,
  write: (chunk: Chunk, item: Item) => void,
  signal: AbortSignal,
): Answer => {
  const notes = { warnings: found.isTruncated ? [truncated] : [] };
  return { status: 200, body: answerOf(listChunks(found.items, write, envelope(notes)), signal) };
};

const surrogates = /[\uD800-\uDFFF]/u;

/** `U__` and hexadecimal code points between underscores stand for a name that a path cannot hold (Prometheus: model.UnescapeName). */
export function unescapeName(name: string): string {
  if (!name.startsWith('U__')) return name;
  let isWhole = true;
  const plain = name.slice(3).replaceAll(/__|_([0-9a-fA-F]{1,6})_|_/g, (found, hex: string | undefined) => {
    if (found === '__') return '_';
    const point = hex === undefined ? Number.NaN : Number.parseInt(hex, 16);
    if (!(point <= 0x10_ff_ff)) isWhole = false;
    return isWhole ? String.fromCodePoint(point) : '';
  });
  return isWhole && !surrogates.test(plain) ? plain : name;
}

/** `limit` and `limit_per_metric` of metadata: absent, or not positive, is none. Throws a BadParameter. */
function metadataLimit(parameters: Parameters, name: string): number {
  const text = parameters(name);
  if (text === '') return Number.POSITIVE_INFINITY;
  if (wholeNumberFault(text, { name: 'Atoi', most: maxInt64 }) !== undefined)
    throw new BadParameter(`${name} must be a number`);
  return Number(text) < 0 ? Number.POSITIVE_INFINITY : Number(text);
}

const metadataJson = ({ type, help, unit }: MetricMetadata) => ({ type, help, unit });

type Handler = (request: QueryRequest, parameters: Parameters) => Promise<Answer>;

/** Every listing, by what it is called in `createListingRoutes`. */
export function createListings(source: ListingSource) {
  return {
    async series(request: QueryRequest, parameters: Parameters): Promise<Answer> {
      const limit = limitParameter(parameters);
      const selection = selectionOf(request, parameters, 'match[]');
      if (selection.matchers.length === 0) return answerError(400, 'bad_data', 'no match[] parameter provided');
      const found = await source.series(selection, atMost(limit), request.signal);
      return answerList(found, labelTexts.writer(), request.signal);
    },

    async labels(request: QueryRequest, parameters: Parameters): Promise<Answer> {
      const limit = limitParameter(parameters);
      const found = await source.labelNames(selectionOf(request, parameters), atMost(limit), request.signal);
      return answerList(found, writeString, request.signal);
    },

    async labelValues(request: QueryRequest, parameters: Parameters): Promise<Answer> {
      const given = request.params['name'] ?? '';
      const name = unescapeName(given);
      if (name === '') return answerError(400, 'bad_data', `invalid label name: ${JSON.stringify(name)}`);
      const limit = atMost(limitParameter(parameters));
      const selection = { ...selectionOf(request, parameters), limit };
      const found = await source.labelValues(name, selection, request.signal);
      return answerList(found, writeString, request.signal);
    },

    async metadata(request: QueryRequest, parameters: Parameters): Promise<Answer> {
      const limit = metadataLimit(parameters, 'limit');
      // Of a family what was said last is kept, so that `limit_per_metric` has nothing to leave out.
      metadataLimit(parameters, 'limit_per_metric');
      const metric = parameters('metric');
      const found = await source.metadata(metric === '' ? undefined : metric, request.signal);
      const kept = limit === Number.POSITIVE_INFINITY ? found : found.slice(0, limit);
      return answerData(JSON.stringify(Object.fromEntries(kept.map((each) => [each.family, [metadataJson(each)]]))));
    },

    targetMetadata(_request: QueryRequest, parameters: Parameters): Promise<Answer> {
      const limit = metadataLimit(parameters, 'limit');
      const text = parameters('match_target');
      const tests = text === '' ? [] : selectorParameter('match_target', text).map(matcherTest);
      const metric = parameters('metric');
      const found: unknown[] = [];
      for (const { labels, metadata } of source.targets()) {
        const target = Object.fromEntries(labels);
        if (!tests.every((test) => test(target))) continue;
        for (const each of metadata) {
          if (found.length >= limit) break;
          if (metric === '') found.push({ target, metric: each.family, ...metadataJson(each) });
          else if (each.family === metric) found.push({ target, ...metadataJson(each) });
        }
      }
      return Promise.resolve(answerData(JSON.stringify(found)));
    },

    async exemplars(request: QueryRequest, parameters: Parameters): Promise<Answer> {
      const startMs = timeParameter(parameters, 'start', 0);
      const endMs = timeParameter(parameters, 'end', 8_640_000_000_000_000);
      if (endMs < startMs) return answerError(400, 'bad_data', 'end timestamp must not be before start timestamp');
      const matchers = selectorsOf(parameters('query'));
      if (matchers.length === 0) return answerData('[]');
      const found = await source.exemplars({ matchers, startMs, endMs }, request.signal);
      return answerData(`[${found.map(exemplarsJson).join(',')}]`);
    },
  } satisfies Record<string, Handler>;
}

/** Which series a query reads. Its parse error stands without the parameter's name here. */
function selectorsOf(query: string): readonly (readonly LabelMatcher[])[] {
  try {
    const grid = { startMs: 0, stepMs: 0, count: 1 };
    return planReads(parsePromql(query).expression, { grid, lookbackMs: 0 }).map(({ selection }) => selection.matchers);
  } catch (error) {
    if (error instanceof PromqlError && error.kind === 'parse') throw new BadParameter(error.message);
    throw error;
  }
}

function exemplarsJson({ seriesLabels, exemplars }: SeriesExemplars): string {
  const items = exemplars.map(
    ({ labels, value, timestampMs }) =>
      `{"labels":${labelsJson(labels)},"value":"${formatValue(value)}","timestamp":${formatTimestamp(timestampMs)}}`,
  );
  return `{"seriesLabels":${labelsJson(seriesLabels)},"exemplars":[${items.join(',')}]}`;
}

/** The routes of the listings (Prometheus: web/api/v1 `Register`). */
export function createListingRoutes(source: ListingSource): readonly QueryRoute[] {
  const listings = createListings(source);
  const route = (method: QueryRoute['method'], path: string, handler: Handler): QueryRoute => ({
    method,
    path,
    async handle(request): Promise<QueryResponse> {
      const parameters = parametersOf(request.query, request.form);
      try {
        return { ...(await handler(request, parameters)), contentType: 'application/json' };
      } catch (error) {
        return { ...answerFor(error), contentType: 'application/json' };
      }
    },
  });
  return [
    ...(['GET', 'POST'] as const).flatMap((method) => [
      route(method, '/api/v1/series', listings.series),
      route(method, '/api/v1/labels', listings.labels),
      route(method, '/api/v1/query_exemplars', listings.exemplars),
    ]),
    route('GET', '/api/v1/label/:name/values', listings.labelValues),
    route('GET', '/api/v1/metadata', listings.metadata),
    route('GET', '/api/v1/targets/metadata', listings.targetMetadata),
  ];
}
