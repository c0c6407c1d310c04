/**
 * OTLP traces in: a request's body, in protobuf or JSON, as spans. Throws a CodecError for what is no such request. The steps of a large body
 * take milliseconds each, so that others can have their turn between them; each tells how many spans there are so far.
 */
import { CodecError } from '../codec-error.ts';
import { type ByteRange, malformed, WireReader } from '../protobuf/wire-reader.ts';
import { readRequestFast } from './json-messages.ts';
import { parseJson } from './json-text.ts';
import {
  decodeInstrumentationScope,
  decodeResource,
  decodeSpan,
  type ExportTraceServiceRequest,
  type InstrumentationScope,
  type Resource,
  readExportTraceServiceRequest,
  type Span,
} from './otlp.generated.ts';
import {
  createSpanCollector,
  type DecodedSpans,
  type Emitter,
  type SpanCollector,
  spansPerStep,
  toEmitter,
  toScope,
} from './to-spans.ts';

type Steps<Result> = Generator<number, Result>;

/** Decodes an `ExportTraceServiceRequest` in protobuf. */
export function decodeProtobufSpans(body: Buffer): DecodedSpans {
  return runToEnd(decodeProtobufInSteps(body));
}

/** Decodes an `ExportTraceServiceRequest` in JSON. */
export function decodeJsonSpans(body: Buffer): DecodedSpans {
  return runToEnd(decodeJsonInSteps(body));
}

function runToEnd<Result>(steps: Steps<Result>): Result {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/**
 * Decodes what `decodeProtobufSpans` does. A message's resource or scope may stand behind the spans that it belongs to, so these are passed
 * over first; and each span becomes the model's before the next one is read, which spares the collector of garbage. Hot: bench/codec.ts.
 */
export function* decodeProtobufInSteps(body: Buffer): Steps<DecodedSpans> {
  const reader = new WireReader(body);
  const collector = createSpanCollector();
  try {
    while (reader.pos < body.length) {
      const tag = reader.tag();
      if (tag === resourceSpansTag) yield* readResourceSpans(reader, collector);
      else reader.unknown(tag, [1]);
    }
  } catch (error) {
    throw malformed(reader, error);
  }
  return collector.finish();
}

/** Fields of the three outer messages (otlp.proto), with their wire types. */
const resourceSpansTag = 0x0a;
const resourceTag = 0x0a;
const scopeSpansTag = 0x12;
const scopeTag = 0x0a;
const spanTag = 0x12;
const schemaUrlTag = 0x1a;
const outerFields = [1, 2, 3];

function* readResourceSpans(reader: WireReader, collector: SpanCollector): Steps<void> {
  const end = reader.enter();
  const scopeSpans: ByteRange[] = [];
  let resource: Resource | undefined;
  let schemaUrl = '';
  while (reader.pos < end) {
    const tag = reader.tag();
    if (tag === resourceTag) resource = decodeResource(reader, reader.enter());
    else if (tag === scopeSpansTag) scopeSpans.push(reader.passOver());
    else if (tag === schemaUrlTag) schemaUrl = reader.text();
    else reader.unknown(tag, outerFields);
  }
  reader.leave(end);
  const emitter = toEmitter(resource, schemaUrl);
  for (const range of scopeSpans) yield* readScopeSpans(reader, { range, emitter, collector });
  reader.pos = end;
}

interface ScopeSpansToRead {
  readonly range: ByteRange;
  readonly emitter: Emitter;
  readonly collector: SpanCollector;
}

function* readScopeSpans(reader: WireReader, { range, emitter, collector }: ScopeSpansToRead): Steps<void> {
  const end = reader.enterAt(range);
  const spans: ByteRange[] = [];
  let message: InstrumentationScope | undefined;
  let schemaUrl = '';
  while (reader.pos < end) {
    const tag = reader.tag();
    if (tag === scopeTag) message = decodeInstrumentationScope(reader, reader.enter());
    else if (tag === spanTag) spans.push(reader.passOver());
    else if (tag === schemaUrlTag) schemaUrl = reader.text();
    else reader.unknown(tag, outerFields);
  }
  reader.leave(end);
  const scope = toScope(message, schemaUrl);
  for (let i = 0; i < spans.length; i += spansPerStep) {
    for (const span of decodeRanges(reader, spans.slice(i, i + spansPerStep))) collector.add(span, emitter, scope);
    if (collector.isStepOver()) yield collector.spans.length;
  }
}

/** A loop of its own, because V8 does less for one in a generator. */
function decodeRanges(reader: WireReader, ranges: readonly ByteRange[]): Span[] {
  return ranges.map((range) => decodeSpan(reader, reader.enterAt(range)));
}

/** Decodes what `decodeJsonSpans` does. A text that only the reader of everything reads is parsed in one step. */
export function* decodeJsonInSteps(body: Buffer): Steps<DecodedSpans> {
  const collector = createSpanCollector();
  const { resourceSpans } = (yield* readRequestFast(body)) ?? (yield* readUnusualRequest(body));
  for (const { resource, schemaUrl, scopeSpans } of resourceSpans) {
    const emitter = toEmitter(resource, schemaUrl);
    for (const message of scopeSpans) {
      const scope = toScope(message.scope, message.schemaUrl);
      for (const span of message.spans) {
        collector.add(span, emitter, scope);
        if (collector.isStepOver()) yield collector.spans.length;
      }
    }
  }
  return collector.finish();
}

/** So large a text is parsed and read in two steps. */
const largeText = 256 * 1024;

function* readUnusualRequest(body: Buffer): Steps<ExportTraceServiceRequest> {
  const json = parseJson(body);
  if (body.length > largeText) yield 0;
  try {
    return readExportTraceServiceRequest(json);
  } catch (error) {
    // What stands before the first place is for a field within a message.
    if (error instanceof CodecError) throw new CodecError(error.message.replace(/^(?:\.|: )/, ''));
    throw error;
  }
}
