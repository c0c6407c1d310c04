/** What `GET /api/v2/traces` asks, read and tested as Zipkin's own QueryRequest does. */
import { startOfAnnotation, toZipkinSpan } from '../../codec/zipkin-view.ts';
import type { Span } from '../../model/span.ts';

export interface TraceQuery {
  /** Constrains all other conditions: they must be met by spans of this service. Names are in lower case. */
  readonly serviceName: string | undefined;
  readonly remoteServiceName: string | undefined;
  readonly spanName: string | undefined;
  /** Tags with their values; '' asks for an annotation with that value or for any tag of that key. */
  readonly annotations: ReadonlyMap<string, string>;
  readonly minDurationUs: number | undefined;
  readonly maxDurationUs: number | undefined;
  /** Inclusive, as is `toUs`. */
  readonly fromUs: number;
  readonly toUs: number;
  readonly limit: number;
}

export type ParsedQuery =
  | { readonly kind: 'query'; readonly query: TraceQuery }
  | { readonly kind: 'malformed'; readonly message: string };

/** A parameter is not what it must be. */
class MalformedParameter extends Error {
  override readonly name = 'MalformedParameter';
}

const dayMs = 86_400_000;
const defaultLimit = 10;
const lastLong = 2n ** 63n - 1n;
const lastInt = 2n ** 31n - 1n;

/** A whole number as Java reads it, cut to what a double holds exactly. An empty one is none, except for `limit`, which Zipkin refuses then. */
function readNumber(parameters: URLSearchParams, name: string, last = lastLong): number | undefined {
  const text = parameters.get(name);
  if (text === null || (text === '' && last === lastLong)) return undefined;
  const value = /^[+-]?\d{1,40}$/.test(text) ? BigInt(text) : undefined;
  if (value === undefined || value > last || value < -last - 1n) {
    throw new MalformedParameter(`${name}=${text.slice(0, 100)} is not a whole number up to ${last}`);
  }
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) return Number.MAX_SAFE_INTEGER;
  return Number(value);
}

function readName(parameters: URLSearchParams, name: string): string | undefined {
  const text = parameters.get(name)?.toLowerCase();
  return text === '' ? undefined : text;
}

/** The whitespace that Java's `trim` takes away. */
const trimmed = (text: string): string => text.replace(/^[\0-\x20]+|[\0-\x20]+$/g, '');

const maxPieces = 100;

/** `http.method=GET and error`: split at the first 99 ` and `, a tag's last value wins, a bare word gives way to a tag. */
export function parseAnnotationQuery(text: string): ReadonlyMap<string, string> {
  const pieces = text.split(' and ');
  const split = pieces.slice(0, maxPieces - 1);
  if (pieces.length >= maxPieces) split.push(pieces.slice(maxPieces - 1).join(' and '));
  const annotations = new Map<string, string>();
  for (const piece of split) {
    const at = piece.indexOf('=');
    const key = trimmed(at === -1 ? piece : piece.slice(0, at));
    // `=x` asks for a tag whose key is empty, which is hardly ever there; Zipkin leaves out blanks alone.
    if (key === '' && at === -1) continue;
    if (at !== -1) annotations.set(key, trimmed(piece.slice(at + 1)));
    else if (!annotations.has(key)) annotations.set(key, '');
  }
  return annotations;
}

/** Reads the parameters of a search, or says what is wrong with them in Zipkin's words. */
export function parseTraceQuery(parameters: URLSearchParams, options: { nowMs: number }): ParsedQuery {
  try {
    return { kind: 'query', query: readQuery(parameters, options.nowMs) };
  } catch (error) {
    if (error instanceof MalformedParameter) return { kind: 'malformed', message: error.message };
    throw error;
  }
}

function readQuery(parameters: URLSearchParams, nowMs: number): TraceQuery {
  const minDurationUs = readNumber(parameters, 'minDuration');
  const maxDurationUs = readNumber(parameters, 'maxDuration');
  const endMs = readNumber(parameters, 'endTs') ?? nowMs;
  const lookbackMs = readNumber(parameters, 'lookback') ?? dayMs;
  const limit = readNumber(parameters, 'limit', lastInt) ?? defaultLimit;
  const wrong = wrongOf({ endMs, limit, lookbackMs, minDurationUs, maxDurationUs });
  if (wrong !== undefined) throw new MalformedParameter(wrong);
  const spanName = readName(parameters, 'spanName');
  return {
    serviceName: readName(parameters, 'serviceName'),
    remoteServiceName: readName(parameters, 'remoteServiceName'),
    spanName: spanName === 'all' ? undefined : spanName,
    annotations: parseAnnotationQuery(parameters.get('annotationQuery') ?? ''),
    minDurationUs,
    maxDurationUs,
    fromUs: (endMs - lookbackMs) * 1000,
    toUs: endMs * 1000,
    limit,
  };
}

function wrongOf(given: {
  readonly endMs: number;
  readonly limit: number;
  readonly lookbackMs: number;
  readonly minDurationUs: number | undefined;
  readonly maxDurationUs: number | undefined;
}): string | undefined {
  const { endMs, limit, lookbackMs, minDurationUs, maxDurationUs } = given;
  if (endMs <= 0) return 'endTs <= 0';
  if (limit <= 0) return 'limit <= 0';
  if (lookbackMs <= 0) return 'lookback <= 0';
  if (minDurationUs === undefined) {
    return maxDurationUs === undefined ? undefined : 'maxDuration is only valid with minDuration';
  }
  if (minDurationUs <= 0) return 'minDuration <= 0';
  return maxDurationUs !== undefined && maxDurationUs < minDurationUs ? 'maxDuration < minDuration' : undefined;
}

/** When a trace began to Zipkin: at the first span without a parent that has a time, or else at the earliest. 0 when no span has one. */
function timeOf(trace: readonly Span[]): number {
  let earliest = 0;
  for (const { startUs = 0, parentId } of trace) {
    if (startUs === 0) continue;
    if (parentId === undefined) return startUs;
    if (earliest === 0 || startUs < earliest) earliest = startUs;
  }
  return earliest;
}

/** Whether a whole trace is what was asked for. Each condition may be met by another span, as long as it is one of the service's. */
export function matchesTrace(query: TraceQuery, trace: readonly Span[]): boolean {
  const timeUs = timeOf(trace);
  if (timeUs === 0 || timeUs < query.fromUs || timeUs > query.toUs) return false;
  const { serviceName, remoteServiceName, spanName } = query;
  const spans = trace
    .map(toZipkinSpan)
    .filter((span) => serviceName === undefined || isNamed(span.localEndpoint, serviceName));
  if (serviceName !== undefined && spans.length === 0) return false;
  if (remoteServiceName !== undefined && !spans.some((span) => isNamed(span.remoteEndpoint, remoteServiceName)))
    return false;
  if (spanName !== undefined && !spans.some((span) => span.name.toLowerCase() === spanName)) return false;
  if (query.minDurationUs !== undefined && !spans.some((span) => hasDuration(query, span))) return false;
  for (const [key, value] of query.annotations)
    if (!spans.some((span) => hasAnnotation(span, key, value))) return false;
  return true;
}

const isNamed = (endpoint: Span['localEndpoint'], name: string) => endpoint?.serviceName?.toLowerCase() === name;

const hasDuration = ({ minDurationUs = 0, maxDurationUs }: TraceQuery, { durationUs = 0 }: Span): boolean =>
  durationUs >= minDurationUs && (maxDurationUs === undefined || durationUs <= maxDurationUs);

function hasAnnotation({ attributes, events }: Span, key: string, value: string): boolean {
  if (value !== '') return Object.hasOwn(attributes, key) && attributes[key] === value;
  // An event that has attributes is found by its name, too, which in OpenTelemetry's spelling its annotation begins with.
  const start = startOfAnnotation(key);
  return Object.hasOwn(attributes, key) || events.some((event) => event.value === key || event.value.startsWith(start));
}
