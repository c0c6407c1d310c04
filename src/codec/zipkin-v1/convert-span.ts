/**
 * Makes v2 spans of a v1 span: one for each service that wrote into it (reference: Zipkin's V1SpanConverter; traces 1.4). Hot: bench/codec.ts.
 */
import { eventAt } from '../../model/exact-times.ts';
import { addLongs, subtractLongs } from '../../model/long.ts';
import type { Endpoint, Span } from '../../model/span.ts';
import { WideSpanError } from '../wide-span-error.ts';
import { buildSpan, emptyDraft, putTag, type SpanDraft } from '../zipkin-v2-json/span-fields.ts';
import { isAddressKey, type V1Annotation, type V1BinaryAnnotation, type V1Span } from './v1-span.ts';

type Mark = V1Annotation | undefined;

/** The annotations that mean something: client and server send and receive, a message's send and receive, and what went over the wire. */
interface Marks {
  cs: Mark;
  cr: Mark;
  sr: Mark;
  ss: Mark;
  ms: Mark;
  mr: Mark;
  ws: Mark;
  wr: Mark;
}

interface Conversion {
  readonly source: V1Span;
  readonly marks: Marks;
  readonly first: SpanDraft;
  /** Further services' spans, in the order they were met. */
  readonly others: SpanDraft[];
  /** The first of each service among them, from the moment when there are many: looking through them all would take hours for a body. */
  byService: Map<string | undefined, SpanDraft> | undefined;
  readonly maxServices: number;
}

/** Spans had two services, and no more. */
const manyServices = 8;

/** Of the parts that a span may have, how many may name another service than those before. */
const partsPerService = 10;

/** Appends what a v1 span stands for to `spans`; a WideSpanError where too many of at most `maxParts` parts are other services'. */
export function convertSpan(source: V1Span, spans: Span[], maxParts = Number.POSITIVE_INFINITY): void {
  const conversion: Conversion = {
    source,
    marks: {
      cs: undefined,
      cr: undefined,
      sr: undefined,
      ss: undefined,
      ms: undefined,
      mr: undefined,
      ws: undefined,
      wr: undefined,
    },
    first: newDraft(source),
    others: [],
    byService: undefined,
    maxServices: Math.max(manyServices, maxParts / partsPerService),
  };
  readAnnotations(conversion);
  timeCalls(conversion);
  markShared(conversion);
  timeMessages(conversion);
  readBinaryAnnotations(conversion);
  spans.push(buildSpan(source.traceId, source.id, conversion.first));
  for (const draft of conversion.others) spans.push(buildSpan(source.traceId, source.id, draft));
}

function newDraft(source: V1Span): SpanDraft {
  const draft = emptyDraft();
  draft.parentId = source.parentId;
  draft.name = source.name;
  draft.debug = source.debug;
  return draft;
}

/** The draft of an endpoint's service. What names no endpoint belongs to the first. */
function draftOf(conversion: Conversion, endpoint: Endpoint | undefined): SpanDraft {
  const { first, others, byService } = conversion;
  if (endpoint === undefined) return first;
  if (first.localEndpoint === undefined) {
    first.localEndpoint = endpoint;
    return first;
  }
  if (isSameService(first.localEndpoint, endpoint)) return first;
  if (byService !== undefined) return byService.get(serviceKey(endpoint)) ?? addDraft(conversion, endpoint);
  for (const draft of others) {
    if (draft.localEndpoint !== undefined && isSameService(draft.localEndpoint, endpoint)) return draft;
  }
  return addDraft(conversion, endpoint);
}

function addDraft(conversion: Conversion, endpoint: Endpoint | undefined): SpanDraft {
  const { source, others } = conversion;
  const draft = newDraft(source);
  draft.localEndpoint = endpoint;
  others.push(draft);
  if (others.length > conversion.maxServices) throw new WideSpanError('services', conversion.maxServices);
  if (conversion.byService !== undefined) addService(conversion.byService, draft);
  else if (others.length >= manyServices) {
    conversion.byService = new Map();
    for (const other of others) addService(conversion.byService, other);
  }
  return draft;
}

function addService(byService: Map<string | undefined, SpanDraft>, draft: SpanDraft): void {
  const key = serviceKey(draft.localEndpoint);
  if (!byService.has(key)) byService.set(key, draft);
}

function serviceKey(endpoint: Endpoint | undefined): string | undefined {
  return endpoint?.serviceName?.toLowerCase();
}

/** Zipkin folds names before it compares them. */
function isSameService(a: Endpoint, b: Endpoint): boolean {
  return a === b || isSameName(a.serviceName, b.serviceName);
}

function isSameName(a: string | undefined, b: string | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && a.toLowerCase() === b.toLowerCase());
}

function isSameEndpoint(a: Endpoint, b: Endpoint | undefined): boolean {
  if (a === b) return true;
  return b !== undefined && isSameService(a, b) && a.ipv4 === b.ipv4 && a.ipv6 === b.ipv6 && a.port === b.port;
}

function readAnnotations(conversion: Conversion): void {
  for (const annotation of sortAnnotations(conversion.source.annotations)) {
    const draft = draftOf(conversion, annotation.endpoint);
    const isMark = annotation.value.length === 2 && annotation.endpoint !== undefined;
    if (!isMark || !readMark(conversion.marks, draft, annotation)) addEvent(draft, annotation);
  }
}

function readMark(marks: Marks, draft: SpanDraft, annotation: V1Annotation): boolean {
  const { value } = annotation;
  switch (value) {
    case 'cs':
    case 'cr':
      draft.kind = 'CLIENT';
      break;
    case 'sr':
    case 'ss':
      draft.kind = 'SERVER';
      break;
    case 'ms':
      draft.kind = 'PRODUCER';
      break;
    case 'mr':
      draft.kind = 'CONSUMER';
      break;
    case 'ws':
    case 'wr':
      break;
    default:
      return false;
  }
  marks[value] = annotation;
  return true;
}

function addEvent(draft: SpanDraft, { timestampUs, value }: V1Annotation): void {
  draft.events.push(eventAt(timestampUs, value));
}

/** By time, then value; which endpoint is met first depends on it. */
function sortAnnotations(annotations: V1Annotation[]): readonly V1Annotation[] {
  for (let i = 1; i < annotations.length; i++) {
    const a = annotations[i - 1];
    const b = annotations[i];
    if (a !== undefined && b !== undefined && compareAnnotations(a, b) > 0) return annotations.sort(compareAnnotations);
  }
  return annotations;
}

function compareAnnotations(a: V1Annotation, b: V1Annotation): number {
  if (a.timestampUs !== b.timestampUs) return a.timestampUs < b.timestampUs ? -1 : 1;
  if (a.value === b.value) return 0;
  return a.value < b.value ? -1 : 1;
}

/** Gives the two sides of a call their times. */
function timeCalls(conversion: Conversion): void {
  const { source, marks } = conversion;
  marks.cs ??= startOf(source, marks.cr, 'cs');
  marks.sr ??= startOf(source, marks.ss, 'sr');
  const { cs, cr, sr, ss } = marks;
  if (cs !== undefined && sr !== undefined) timeBothSides(conversion, cs, sr);
  else if (cs !== undefined && cr !== undefined) timeFrom(conversion, cs, cr);
  else if (sr !== undefined && ss !== undefined) timeFrom(conversion, sr, ss);
  else timeIncomplete(conversion);
}

/** The start that an end implies whose time is that of the span plus its duration. */
function startOf(source: V1Span, end: Mark, value: string): Mark {
  const { timestampUs, durationUs } = source;
  if (end === undefined || timestampUs === 0 || durationUs === 0) return undefined;
  return addLongs(timestampUs, durationUs) === end.timestampUs
    ? { timestampUs, value, endpoint: end.endpoint }
    : undefined;
}

function timeBothSides(conversion: Conversion, cs: V1Annotation, sr: V1Annotation): void {
  const { source, marks } = conversion;
  timeFrom(conversion, cs, marks.cr);
  const client = draftOf(conversion, cs.endpoint);
  const server = forkFor(conversion, cs, sr);
  if (server.isFork) {
    // A service that calls itself.
    client.kind = 'CLIENT';
    server.draft.kind = 'SERVER';
  }
  server.draft.shared = true;
  server.draft.startUs = sr.timestampUs;
  if (marks.ss !== undefined) server.draft.durationUs = subtractLongs(marks.ss.timestampUs, sr.timestampUs);
  // One way: nobody waited for an answer.
  if (marks.cr === undefined && source.durationUs === 0) client.durationUs = 0;
}

/** The draft of the second of two sides; a new one if both are the same service. */
function forkFor(
  conversion: Conversion,
  one: V1Annotation,
  other: V1Annotation,
): { readonly draft: SpanDraft; readonly isFork: boolean } {
  const isFork = isSameName(one.endpoint?.serviceName, other.endpoint?.serviceName);
  const draft = isFork ? addDraft(conversion, other.endpoint) : draftOf(conversion, other.endpoint);
  return { draft, isFork };
}

/** The span's own time where it has both parts, otherwise that of its annotations. */
function timeFrom(conversion: Conversion, begin: V1Annotation, end: Mark): void {
  const { timestampUs, durationUs } = conversion.source;
  const draft = draftOf(conversion, begin.endpoint);
  if (timestampUs !== 0 && durationUs !== 0) {
    draft.startUs = timestampUs;
    draft.durationUs = durationUs;
    return;
  }
  draft.startUs = begin.timestampUs;
  if (end !== undefined) draft.durationUs = subtractLongs(end.timestampUs, begin.timestampUs);
}

function timeIncomplete(conversion: Conversion): void {
  const { source, marks, first, others } = conversion;
  timeHalf(first, marks);
  for (const draft of others) timeHalf(draft, marks);
  if (source.timestampUs === 0) return;
  first.startUs = source.timestampUs;
  first.durationUs = source.durationUs;
}

function timeHalf(draft: SpanDraft, { cs, cr, sr, ss }: Marks): void {
  if (draft.kind === 'CLIENT') {
    if (cs !== undefined) draft.startUs = cs.timestampUs;
    if (cr !== undefined) addEvent(draft, cr);
  } else if (draft.kind === 'SERVER') {
    if (sr !== undefined) draft.startUs = sr.timestampUs;
    if (ss !== undefined) addEvent(draft, ss);
  }
}

/** Version 1 had no such flag: a server that leaves out the time, or has sent and leaves out the duration, joined its caller's span. */
function markShared(conversion: Conversion): void {
  const { source, marks } = conversion;
  if (marks.cs !== undefined || marks.sr === undefined) return;
  if (source.timestampUs === 0 || (marks.ss !== undefined && source.durationUs === 0)) {
    draftOf(conversion, marks.sr.endpoint).shared = true;
  }
}

/** Gives the two sides of a message their times. */
function timeMessages(conversion: Conversion): void {
  const { ms, mr, ws, wr } = conversion.marks;
  if (ms !== undefined && mr !== undefined) {
    const producer = draftOf(conversion, ms.endpoint);
    const { draft: consumer, isFork } = forkFor(conversion, ms, mr);
    if (isFork) {
      producer.kind = 'PRODUCER';
      consumer.kind = 'CONSUMER';
    }
    consumer.shared = true;
    consumer.startUs = (wr ?? mr).timestampUs;
    if (wr !== undefined) consumer.durationUs = subtractLongs(mr.timestampUs, wr.timestampUs);
    producer.startUs = ms.timestampUs;
    producer.durationUs = ws === undefined ? 0 : subtractLongs(ws.timestampUs, ms.timestampUs);
  } else if (ms !== undefined) timeFrom(conversion, ms, ws);
  else if (mr !== undefined) timeFrom(conversion, wr ?? mr, wr === undefined ? undefined : mr);
  else {
    if (ws !== undefined) addEvent(draftOf(conversion, ws.endpoint), ws);
    if (wr !== undefined) addEvent(draftOf(conversion, wr.endpoint), wr);
  }
}

interface Addresses {
  ca: Endpoint | undefined;
  sa: Endpoint | undefined;
  ma: Endpoint | undefined;
}

/** Makes tags and peers of the binary annotations. */
function readBinaryAnnotations(conversion: Conversion): void {
  const addresses: Addresses = { ca: undefined, sa: undefined, ma: undefined };
  for (const { key, value, endpoint } of sortBinaryAnnotations(conversion)) {
    // Whatever the value: zipkin-ruby writes the text "1" where true belongs.
    if (isAddressKey(key)) setAddress(addresses, key, endpoint);
    else if (value !== undefined) {
      const draft = draftOf(conversion, endpoint);
      // An empty "lc" stands for a span that has nothing else to name its endpoint with.
      if (key !== 'lc' || value !== '') putTag(draft.tags, key, value);
    }
  }
  const { cs, cr, sr, ss } = conversion.marks;
  const isCall = cs !== undefined || cr !== undefined || sr !== undefined || ss !== undefined;
  const { ca, sa } = addresses;
  if (isCall || (ca === undefined && sa === undefined)) addPeers(conversion, addresses);
  else if (sa !== undefined) draftOf(conversion, ca).remoteEndpoint = sa;
  else {
    conversion.first.kind = 'SERVER';
    conversion.first.remoteEndpoint = ca;
  }
}

function setAddress(addresses: Addresses, key: string, endpoint: Endpoint | undefined): void {
  if (key === 'ca') addresses.ca = endpoint;
  else if (key === 'sa') addresses.sa = endpoint;
  else addresses.ma = endpoint;
}

/** By key. The order matters only where endpoints differ or none was met before. */
function sortBinaryAnnotations({ source, first }: Conversion): readonly V1BinaryAnnotation[] {
  const { binaryAnnotations } = source;
  const endpoint = first.localEndpoint;
  if (endpoint !== undefined && areAllOf(endpoint, binaryAnnotations)) return binaryAnnotations;
  return binaryAnnotations.sort((a, b) => (a.key === b.key ? 0 : a.key < b.key ? -1 : 1));
}

function areAllOf(endpoint: Endpoint, annotations: readonly V1BinaryAnnotation[]): boolean {
  for (const each of annotations) if (each.endpoint !== endpoint && !isAddressKey(each.key)) return false;
  return true;
}

function addPeers(conversion: Conversion, { ca, sa, ma }: Addresses): void {
  const { cs, cr, sr, ss, ms, mr } = conversion.marks;
  const server = sr ?? ss;
  if (ca !== undefined && server !== undefined && !isSameEndpoint(ca, server.endpoint)) {
    // Finagle writes the server's own name over its client's socket; the name would make the service call itself.
    const isOwnName = isSameName(ca.serviceName, server.endpoint?.serviceName);
    draftOf(conversion, server.endpoint).remoteEndpoint = isOwnName ? withoutName(ca) : ca;
  }
  const client = cs ?? cr;
  if (sa !== undefined && client !== undefined) draftOf(conversion, client.endpoint).remoteEndpoint = sa;
  if (ma === undefined) return;
  if (ms !== undefined) draftOf(conversion, ms.endpoint).remoteEndpoint = ma;
  if (mr !== undefined) draftOf(conversion, mr.endpoint).remoteEndpoint = ma;
}

function withoutName({ ipv4, ipv6, port }: Endpoint): Endpoint | undefined {
  if (ipv4 === undefined && ipv6 === undefined && port === undefined) return undefined;
  return { serviceName: undefined, ipv4, ipv6, port };
}
