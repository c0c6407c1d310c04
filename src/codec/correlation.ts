/**
 * Finds what ties a log line to a trace: trace and span ids and Envoy's request id, in JSON, logfmt and plain text. One pass, linear in the
 * length of the line; a line that names none of it is done after two plain searches.
 */

export interface Correlation {
  /** 32 lower-case hex digits, or ''. */
  readonly traceId: string;
  /** 16 lower-case hex digits, or ''. */
  readonly spanId: string;
  /** Envoy's `x-request-id`, a UUID in lower case, or ''. */
  readonly requestId: string;
}

export const noCorrelation: Correlation = Object.freeze({ traceId: '', spanId: '', requestId: '' });

/** A name, a colon or equals sign, and a value of hex digits and dashes; quotes may be escaped, as in JSON within JSON. Every repetition is bounded. */
const field =
  /(?:^|[^a-z0-9_.-])(?:(traceparent)|(x-b3-traceid|(?:otel[_.]?)?trace[_.-]?id)|(x-b3-spanid|(?:otel[_.]?)?span[_.-]?id)|(b3)|(x[-_])?request[_.-]?id)\\{0,3}["']?\s{0,8}[:=]\s{0,8}\\{0,3}["']?([0-9a-f][0-9a-f-]{14,80})(?![0-9a-z-])/gi;
/** Where Istio's text format has it: third from last of the quoted fields. */
const accessLogRequestId = /"([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})" "[^"]*" "[^"]*" [^"]*$/;
const uuid = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/;
const traceContext = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:-|$)/;
const singleHeader = /^([0-9a-f]{32}|[0-9a-f]{16})-([0-9a-f]{16})(?:-|$)/;
const traceIdText = /^(?:[0-9a-f]{32}|[0-9a-f]{16})$/;
const spanIdText = /^[0-9a-f]{16}$/;
const onlyZeros = /^0*$/;

/** Looks through a log line; the first of each kind counts. */
export function findCorrelation(body: string): Correlation {
  // Envoy's line in Istio's text format begins with its time in brackets.
  const isAccessLog = body.startsWith('[') && body.endsWith('"') === false && body.includes('" "');
  const mayName = mentions(body);
  if (!isAccessLog && !mayName) return noCorrelation;
  const found = { traceId: '', spanId: '', requestId: '' };
  if (isAccessLog) found.requestId = accessLogRequestId.exec(body)?.[1] ?? '';
  if (mayName) scanFields(body, found);
  return found.traceId === '' && found.spanId === '' && found.requestId === '' ? noCorrelation : found;
}

function mentions(body: string): boolean {
  const lower = body.includes('race') || body.includes('equest') || body.includes('b3');
  return lower || body.includes('RACE') || body.includes('EQUEST') || body.includes('span') || body.includes('Span');
}

interface Found {
  traceId: string;
  spanId: string;
  requestId: string;
}

function scanFields(body: string, found: Found): void {
  for (const match of body.matchAll(field)) {
    const [, traceparent, traceName, spanName, b3, , rawValue = ''] = match;
    const value = rawValue.toLowerCase();
    if (traceparent !== undefined) takePair(found, traceContext.exec(value));
    else if (b3 !== undefined) takePair(found, singleHeader.exec(value));
    else if (traceName !== undefined) takeTraceId(found, value);
    else if (spanName !== undefined) takeSpanId(found, value);
    else if (found.requestId === '' && uuid.test(value)) found.requestId = value;
  }
}

function takePair(found: Found, pair: RegExpExecArray | null): void {
  if (pair === null || found.traceId !== '') return;
  takeTraceId(found, pair[1] ?? '');
  if (found.traceId !== '') takeSpanId(found, pair[2] ?? '');
}

function takeTraceId(found: Found, value: string): void {
  if (found.traceId === '' && traceIdText.test(value) && !onlyZeros.test(value))
    found.traceId = value.padStart(32, '0');
}

function takeSpanId(found: Found, value: string): void {
  if (found.spanId === '' && spanIdText.test(value) && !onlyZeros.test(value)) found.spanId = value;
}
