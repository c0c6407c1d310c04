/** What there is to ask about: series, the names and values of labels, metadata, exemplars, and what targets said of their metrics. */
import type { MetricMetadata } from '../../model/metric-metadata.ts';
import type { Label } from '../../model/sample.ts';
import { startSlices } from '../../model/turns.ts';
import type { SeriesExemplars } from '../../store/readers/exemplars.ts';
import type { LabelMatcher } from '../../store/readers/label-matcher.ts';
import type { Listed, SeriesSelection } from '../../store/readers/series.ts';
import { untilEnded } from '../failure.ts';
import { type Parameters, parametersOf } from '../parameters.ts';
import { PromqlError } from '../promql/error.ts';
import { parsePromql } from '../promql/parse/parse.ts';
import { planReads } from '../promql/plan.ts';
import type { QueryRequest, QueryResponse, QueryRoute } from '../query-route.ts';
import { createSearchGate, type QueryGate } from '../search-gate.ts';
import { type Answer, answerData, answerError, answerFor, envelope, type Notes, truncated } from './answer.ts';
import { type Chunk, writeText } from './chunk.ts';
import { answerOf, listChunks } from './format.ts';
import { createKnownSizes, sizeKey } from './known-sizes.ts';
import { labelTexts, writeString } from './label-text.ts';
import { BadParameter, limitParameter, maxInt64, timeParameter, wholeNumberFault } from './parameters.ts';
import { matcherTest, matchParameters, selectorParameter } from './selectors.ts';
import { inTurn } from './turn.ts';
import { formatTimestamp, formatValue } from './value-text.ts';

/** A target that is scraped, and what its last exposition said of its metrics. */
export interface TargetMetadata {
  readonly labels: readonly Label[];
  readonly metadata: readonly MetricMetadata[];
}

/** What the listings read: the store's readers bound to a client, and the agent's own targets. Others go first in the store where `isLarge`. */
export interface ListingSource {
  /** At most `limit` series, in the order of their labels. */
  series(
    selection: SeriesSelection,
    limit: number,
    signal: AbortSignal,
    isLarge?: boolean,
  ): Promise<Listed<readonly Label[]>>;
  labelNames(
    selection: SeriesSelection,
    limit: number,
    signal: AbortSignal,
    isLarge?: boolean,
  ): Promise<Listed<string>>;
  labelValues(
    name: string,
    selection: SeriesSelection & { readonly limit: number },
    signal: AbortSignal,
    isLarge?: boolean,
  ): Promise<Listed<string>>;
  /** Sorted by family. */
  metadata(family: string | undefined, signal: AbortSignal, isLarge?: boolean): Promise<readonly MetricMetadata[]>;
  exemplars(
    selection: Required<SeriesSelection>,
    signal: AbortSignal,
    isLarge?: boolean,
  ): Promise<readonly SeriesExemplars[]>;
  targets(): readonly TargetMetadata[];
}

export interface ListingOptions {
  /** Who waits for whom; 20 at work at once, as in Prometheus, unless given. */
  readonly gate?: QueryGate;
  /** 10 s unless given. */
  readonly timeoutMs?: number;
}

/** More of a list than this is read by nobody; where `limit` asks for more, or for all, the answer is cut here and says so. */
const maxListed = 100_000;

const atMost = (limit: number): number => (limit > 0 ? Math.min(limit, maxListed) : maxListed);

/** What a list that was cut says of that. The bound is ours, which no limit that is asked for lifts. */
function cutNotes({ isTruncated }: Listed<unknown>, limit: number): Notes {
  if (!isTruncated) return {};
  const isOwnBound = atMost(limit) !== limit;
  const advice = `${truncated}: at most ${maxListed} are listed; narrow match[], or what is between start and end`;
  return { warnings: [isOwnBound ? advice : truncated] };
}

/** An item of a list takes about as long as so many samples. */
const valuesOfItem = 10;
/** A longer list has its place among the large answers while it is sent. */
const smallItems = 2000;

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

/** What a listing reads, when it is its turn. */
interface Reading<Found> {
  readonly request: QueryRequest;
  /** What it is known by when it is asked again. */
  readonly key: readonly unknown[];
  readonly read: (signal: AbortSignal, isLarge: boolean) => Promise<Found>;
  readonly count: (found: Found) => number;
  /** The answer's chunks. */
  readonly write: (found: Found) => ReturnType<typeof listChunks>;
}

/** Reads when it is the listing's turn: at once, unless it is known to be large or found to be. */
function createTurns({ gate = createSearchGate({ atOnce: 20, waiting: 1000 }), timeoutMs = 10_000 }: ListingOptions) {
  const sizes = createKnownSizes();
  return <Found>({ request, key, read, count, write }: Reading<Found>): Promise<Answer> => {
    const known = sizeKey(JSON.stringify(key), 0);
    return inTurn({ gate, timeoutMs, signal: request.signal, known: sizes.of(known) }, async ({ signal, lane }) => {
      const cost = { values: Number.POSITIVE_INFINITY, computeMs: 0, readMs: 0 };
      const startedMs = performance.now();
      try {
        const found = await untilEnded(signal, lane.read(signal, read));
        cost.readMs = performance.now() - startedMs - lane.waitedMs();
        if (count(found) > smallItems) await lane.enter();
        cost.values = valuesOfItem * count(found);
        return { status: 200, body: answerOf(write(found), request.signal) };
      } finally {
        // What failed met a limit, or waited in vain; or its client left, and it is asked once more to know better.
        if (!request.signal.aborted) sizes.keep(known, cost);
      }
    });
  };
}

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
export function createListings(source: ListingSource, options: ListingOptions = {}) {
  const inItsTurn = createTurns(options);

  /** A list as the data of an answer. */
  const answerList = <Item>(
    { limit, ...reading }: Pick<Reading<Listed<Item>>, 'request' | 'key' | 'read'> & { readonly limit: number },
    write: (chunk: Chunk, item: Item) => void,
  ): Promise<Answer> =>
    inItsTurn({
      ...reading,
      count: ({ items }) => items.length,
      write: (found) => listChunks(found.items, write, envelope(cutNotes(found, limit))),
    });

  return {
    async series(request: QueryRequest, parameters: Parameters): Promise<Answer> {
      const limit = limitParameter(parameters);
      const selection = selectionOf(request, parameters, 'match[]');
      if (selection.matchers.length === 0) return answerError(400, 'bad_data', 'no match[] parameter provided');
      const key = ['series', selection.matchers, limit];
      const read: Reading<Listed<readonly Label[]>>['read'] = (signal, isLarge) =>
        source.series(selection, atMost(limit), signal, isLarge);
      return answerList({ request, limit, key, read }, labelTexts.writer());
    },

    async labels(request: QueryRequest, parameters: Parameters): Promise<Answer> {
      const limit = limitParameter(parameters);
      const selection = selectionOf(request, parameters);
      const key = ['labels', selection.matchers, limit];
      const read: Reading<Listed<string>>['read'] = (signal, isLarge) =>
        source.labelNames(selection, atMost(limit), signal, isLarge);
      return answerList({ request, limit, key, read }, writeString);
    },

    async labelValues(request: QueryRequest, parameters: Parameters): Promise<Answer> {
      const given = request.params['name'] ?? '';
      const name = unescapeName(given);
      if (name === '') return answerError(400, 'bad_data', `invalid label name: ${JSON.stringify(name)}`);
      const limit = limitParameter(parameters);
      const selection = { ...selectionOf(request, parameters), limit: atMost(limit) };
      const key = ['values', name, selection.matchers, limit];
      const read: Reading<Listed<string>>['read'] = (signal, isLarge) =>
        source.labelValues(name, selection, signal, isLarge);
      return answerList({ request, limit, key, read }, writeString);
    },

    async metadata(request: QueryRequest, parameters: Parameters): Promise<Answer> {
      const limit = metadataLimit(parameters, 'limit');
      // Of a family what was said last is kept, so that `limit_per_metric` has nothing to leave out.
      metadataLimit(parameters, 'limit_per_metric');
      const metric = parameters('metric');
      return inItsTurn({
        request,
        key: ['metadata', metric],
        read: (signal, isLarge) => source.metadata(metric === '' ? undefined : metric, signal, isLarge),
        count: (found) => found.length,
        write: (found) =>
          listChunks(limit === Number.POSITIVE_INFINITY ? found : found.slice(0, limit), writeFamily, {
            ...envelope({}),
            brackets: ['{', '}'],
          }),
      });
    },

    async targetMetadata({ signal }: QueryRequest, parameters: Parameters): Promise<Answer> {
      const limit = metadataLimit(parameters, 'limit');
      const text = parameters('match_target');
      const tests = text === '' ? [] : selectorParameter('match_target', text).map(matcherTest);
      const metric = parameters('metric');
      const found: TargetFamily[] = [];
      const slices = startSlices(signal);
      for (const { labels, metadata } of source.targets()) {
        const target = Object.fromEntries(labels);
        if (!tests.every((test) => test(target))) continue;
        const targetJson = JSON.stringify(target);
        for (const each of metadata) {
          if (found.length >= limit) break;
          if (metric === '' || each.family === metric) found.push({ targetJson, each, isNamed: metric === '' });
        }
        if (slices.isOver()) await untilEnded(signal, slices.next());
      }
      return { status: 200, body: answerOf(listChunks(found, writeTargetFamily, envelope({})), signal) };
    },

    async exemplars(request: QueryRequest, parameters: Parameters): Promise<Answer> {
      const startMs = timeParameter(parameters, 'start', 0);
      const endMs = timeParameter(parameters, 'end', 8_640_000_000_000_000);
      if (endMs < startMs) return answerError(400, 'bad_data', 'end timestamp must not be before start timestamp');
      const matchers = selectorsOf(parameters('query'));
      if (matchers.length === 0) return answerData('[]');
      return inItsTurn({
        request,
        key: ['exemplars', matchers],
        read: (signal, isLarge) => source.exemplars({ matchers, startMs, endMs }, signal, isLarge),
        count: (found) => found.reduce((sum, { exemplars }) => sum + exemplars.length, 0),
        write: (found) => exemplarChunks(found),
      });
    },
  } satisfies Record<string, Handler>;
}

function writeFamily(chunk: Chunk, each: MetricMetadata): void {
  writeString(chunk, each.family);
  writeText(chunk, `:[${JSON.stringify(metadataJson(each))}]`);
}

/** What a target said of one of its families, and whether the answer names that. */
interface TargetFamily {
  readonly targetJson: string;
  readonly each: MetricMetadata;
  readonly isNamed: boolean;
}

function writeTargetFamily(chunk: Chunk, { targetJson, each, isNamed }: TargetFamily): void {
  const said = JSON.stringify(isNamed ? { metric: each.family, ...metadataJson(each) } : metadataJson(each));
  writeText(chunk, `{"target":${targetJson},${said.slice(1)}`);
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

/** Exemplars one by one: a series may have all of them. */
function* exemplarItems(found: readonly SeriesExemplars[]): Generator<string> {
  for (const { seriesLabels, exemplars } of found) {
    for (const [i, { labels, value, timestampMs }] of exemplars.entries()) {
      const before = i > 0 ? '' : `{"seriesLabels":${labelsJson(seriesLabels)},"exemplars":[`;
      const after = i < exemplars.length - 1 ? '' : ']}';
      const point = `"value":"${formatValue(value)}","timestamp":${formatTimestamp(timestampMs)}`;
      yield `${before}{"labels":${labelsJson(labels)},${point}}${after}`;
    }
  }
}

const exemplarChunks = (found: readonly SeriesExemplars[]) => listChunks(exemplarItems(found), writeText, envelope({}));

/** The routes of the listings (Prometheus: web/api/v1 `Register`). */
export function createListingRoutes(source: ListingSource, options: ListingOptions = {}): readonly QueryRoute[] {
  const listings = createListings(source, options);
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
