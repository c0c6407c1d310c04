/** What a search asks for, out of the parameters of v1 and of v3 (jaegerquery's query_parser.go of both). */
import { type Parsed, parseGoBool, parseGoDuration, parseGoInt, parseGoTime } from './go-text.ts';
import { parseJaegerTraceId } from './trace-id.ts';

/** What one span must be like; the trace of such a span is found. */
export interface SpanQuery {
  /** '' for any. */
  readonly service: string;
  /** '' for any. */
  readonly operation: string;
  /** Inclusive, since 1970. */
  readonly startNs: bigint;
  readonly endNs: bigint;
  /** Inclusive; 0 for no bound. */
  readonly minDurationNs: bigint;
  readonly maxDurationNs: bigint;
  /** Each must be met; values are compared as texts. */
  readonly tags: ReadonlyMap<string, string>;
}

export interface TraceSearchRequest {
  readonly query: SpanQuery;
  readonly limit: number;
  readonly isRaw: boolean;
}

export interface V1SearchRequest extends TraceSearchRequest {
  /** Where there are any, these traces are asked for and nothing is searched. */
  readonly traceIds: readonly string[];
}

const defaultLimit = 100;
const defaultLookbackNs = 48n * 3_600_000_000_000n;

/** Ends the reading of parameters with the message for the client. */
export class ParameterError extends Error {
  override readonly name = 'ParameterError';
}

/** The value, or a ParameterError with what Go would say behind `context`. */
export function parsedValue<Value>(context: string, parsed: Parsed<Value>): Value {
  if (parsed.kind === 'value') return parsed.value;
  throw new ParameterError(`${context}${parsed.message}`);
}

/** What v1 says before the reason. */
export const v1Context = (name: string): string => `unable to parse param '${name}': `;

/** Reads a parameter of v1; '' and an absent one are `otherwise`. */
export function v1Value<Value>(
  query: URLSearchParams,
  name: string,
  parse: (text: string) => Parsed<Value>,
  otherwise: Value,
): Value {
  const text = query.get(name) ?? '';
  return text === '' ? otherwise : parsedValue(v1Context(name), parse(text));
}

export const parseInt64 = (text: string): Parsed<bigint> => parseGoInt(text, 64);

/** Reads `/api/traces?…`. */
export function parseV1Search(query: URLSearchParams, nowMs: number): V1SearchRequest {
  const nowNs = BigInt(Math.trunc(nowMs)) * 1_000_000n;
  const start = v1Value(query, 'start', parseInt64, undefined);
  const end = v1Value(query, 'end', parseInt64, undefined);
  const tags = parseV1Tags(query);
  const limit = query.get('limit') ?? '';
  const request = {
    query: {
      service: query.get('service') ?? '',
      operation: query.get('operation') ?? '',
      startNs: start === undefined ? nowNs - defaultLookbackNs : start * 1000n,
      endNs: end === undefined ? nowNs : end * 1000n,
      tags,
      minDurationNs: v1Value(query, 'minDuration', parseGoDuration, 0n),
      maxDurationNs: v1Value(query, 'maxDuration', parseGoDuration, 0n),
    },
    limit: limit === '' ? defaultLimit : Number(parsedValue('', parseGoInt(limit, 32))),
    traceIds: query.getAll('traceID').map((id) => parsedValue('cannot parse traceID param: ', parseJaegerTraceId(id))),
    isRaw: v1Value(query, 'raw', parseGoBool, false),
  };
  if (request.limit <= 0) throw new ParameterError('invalid parameter: limit must be greater than 0');
  checkDurations(request.query, "'maxDuration' should be greater than 'minDuration'");
  return request;
}

function checkDurations({ minDurationNs: min, maxDurationNs: max }: SpanQuery, message: string): void {
  if (min !== 0n && max !== 0n && max < min) throw new ParameterError(message);
}

function parseV1Tags(query: URLSearchParams): Map<string, string> {
  const tags = new Map<string, string>();
  for (const tag of query.getAll('tag')) {
    const colon = tag.indexOf(':');
    if (colon === -1) throw new ParameterError(`malformed 'tag' parameter, expecting key:value, received: ${tag}`);
    tags.set(tag.slice(0, colon), tag.slice(colon + 1));
  }
  for (const text of query.getAll('tags')) {
    for (const [key, value] of parsedValue("malformed 'tags' parameter, cannot unmarshal JSON: ", parseTextMap(text))) {
      tags.set(key, value);
    }
  }
  return tags;
}

/** Reads a JSON object of texts as Go does: null is an empty map, and as a value an empty text. */
function parseTextMap(text: string): Parsed<readonly (readonly [string, string])[]> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { kind: 'malformed', message: error instanceof Error ? error.message : String(error) };
  }
  if (value === null) return { kind: 'value', value: [] };
  if (typeof value !== 'object' || Array.isArray(value)) {
    return { kind: 'malformed', message: `expected an object, got ${Array.isArray(value) ? 'array' : typeof value}` };
  }
  const entries: [string, string][] = [];
  for (const [key, item] of Object.entries(value)) {
    if (item !== null && typeof item !== 'string') {
      return { kind: 'malformed', message: `the value of ${JSON.stringify(key)} is a ${typeof item}, not a string` };
    }
    entries.push([key, item ?? '']);
  }
  return { kind: 'value', value: entries };
}

interface V3Parameter {
  /** The spelling that was used, which messages name. */
  readonly name: string;
  readonly text: string;
}

/** The first of the spellings that has a value; the last of them otherwise. */
export function v3Parameter(query: URLSearchParams, ...names: readonly [string, ...string[]]): V3Parameter {
  const name = names.find((candidate) => (query.get(candidate) ?? '') !== '') ?? names[0];
  return { name, text: query.get(name) ?? '' };
}

/** Reads a parameter of v3; '' and an absent one are `otherwise`. */
export function v3Value<Value>(
  { name, text }: V3Parameter,
  parse: (text: string) => Parsed<Value>,
  otherwise: Value,
): Value {
  return text === '' ? otherwise : parsedValue(`malformed parameter ${name}: `, parse(text));
}

/** What later versions of Jaeger take and this does not; to leave it out silently would answer another question. */
const unsupportedV3 = ['query.filter', 'query.pagination.pageSize', 'query.pagination.pageToken'];

/** Reads `/api/v3/traces?…` and `/api/v3/trace-summaries?…`, in the spellings since 2.19 and before. */
export function parseV3Search(query: URLSearchParams): TraceSearchRequest {
  const parameter = (camel: string, snake: string, ...more: string[]) =>
    v3Parameter(query, `query.${camel}`, `query.${snake}`, ...more.map((name) => `query.${name}`));
  for (const name of unsupportedV3) {
    if ((query.get(name) ?? '') !== '') throw new ParameterError(`parameter ${name} is not supported; leave it out`);
  }
  const attributes = v3Value({ name: 'query.attributes', text: query.get('query.attributes') ?? '' }, parseTextMap, []);
  const startNs = v3Value(parameter('startTimeMin', 'start_time_min'), parseGoTime, undefined);
  const endNs = v3Value(parameter('startTimeMax', 'start_time_max'), parseGoTime, undefined);
  if (startNs === undefined || endNs === undefined) {
    throw new ParameterError('query.startTimeMin and query.startTimeMax are required');
  }
  if (startNs > endNs) throw new ParameterError('query.startTimeMin must be before query.startTimeMax');
  const depth = v3Value(parameter('searchDepth', 'search_depth', 'num_traces'), (text) => parseGoInt(text, 32), 0n);
  if (depth < 0n) throw new ParameterError('query.searchDepth must be greater than 0');
  const request = {
    query: {
      service: parameter('serviceName', 'service_name').text,
      operation: parameter('operationName', 'operation_name').text,
      startNs,
      endNs,
      minDurationNs: v3Value(parameter('durationMin', 'duration_min'), parseGoDuration, 0n),
      maxDurationNs: v3Value(parameter('durationMax', 'duration_max'), parseGoDuration, 0n),
      tags: new Map(attributes),
    },
    limit: depth === 0n ? defaultLimit : Number(depth),
    isRaw: v3Value(parameter('rawTraces', 'raw_traces'), parseGoBool, false),
  };
  checkDurations(request.query, 'query.durationMax must be greater than query.durationMin');
  return request;
}
