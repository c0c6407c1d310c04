/**
 * A trace as Jaeger keeps it: OTLP's messages, put right as Jaeger's collector puts them right when they arrive
 * (internal/jptrace/sanitizer). Everything that is answered is made of these, and the adjusters change them in place.
 */
import { fromSpans } from '../../codec/otlp/from-spans.ts';
import type { AnyValue, KeyValue, Resource, ResourceSpans, ScopeSpans, Span } from '../../codec/otlp/otlp.generated.ts';
import { newResource, writeInstrumentationScope, writeResource } from '../../codec/otlp/otlp.generated.ts';
import type { Bits64 } from '../../codec/protobuf/wire-reader.ts';
import { bigOf, bitsOf } from '../../codec/protobuf/wire-writer.ts';
import type { Span as ModelSpan } from '../../model/span.ts';
import { goTime } from './go-text.ts';
import { addWarning } from './warnings.ts';

/** A trace of OTLP's messages. */
export type OtlpTrace = ResourceSpans[];

/** The numbers that OTLP's messages have for kinds and statuses. */
export const otlpKinds = { unspecified: 0, internal: 1, server: 2, client: 3, producer: 4, consumer: 5 } as const;
export const otlpStatuses = { unset: 0, ok: 1, error: 2 } as const;

export const missingServiceName = 'missing-service-name';
export const emptySpanName = 'empty-span-name';
const serviceNameKey = 'service.name';
const emptyServiceName = 'empty-service-name';
const serviceNameOfWrongType = 'service-name-wrong-type';

/** Each span with the messages that it lies in, in order. */
export function* spansOf(trace: OtlpTrace): Generator<PlacedSpan> {
  for (const resourceSpans of trace) {
    for (const scopeSpans of resourceSpans.scopeSpans) {
      for (const span of scopeSpans.spans) yield { resourceSpans, scopeSpans, span };
    }
  }
}

export interface PlacedSpan {
  readonly resourceSpans: ResourceSpans;
  readonly scopeSpans: ScopeSpans;
  readonly span: Span;
}

/** About 10 ms of work each. */
const spansPerStep = 1000;

/** Makes the messages of a trace of the store. */
export function toOtlpTrace(spans: readonly ModelSpan[]): OtlpTrace {
  return runToEnd(toOtlpInSteps(spans));
}

/** Makes what `toOtlpTrace` does, in steps between which others are served. */
export function* toOtlpInSteps(spans: readonly ModelSpan[]): Generator<void, OtlpTrace> {
  const trace: OtlpTrace = [];
  for (let at = 0; at < spans.length; at += spansPerStep) {
    const part = fromSpans(spans.slice(at, at + spansPerStep));
    for (const resourceSpans of part) {
      resourceSpans.resource ??= newResource();
      nameService(resourceSpans.resource);
    }
    for (const { span } of spansOf(part)) {
      if (span.name === '') span.name = emptySpanName;
      putEndRight(span);
    }
    if (trace.length === 0) trace.push(...part);
    else merge(trace, part);
    yield;
  }
  return trace;
}

/** Takes all steps at once. */
export function runToEnd<Result>(steps: Generator<void, Result>): Result {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** Adds a part's spans to the emitters and scopes of a trace that are the same. */
function merge(trace: OtlpTrace, part: OtlpTrace): void {
  const emitters = new Map(trace.map((emitter) => [emitterKey(emitter), emitter]));
  for (const emitter of part) {
    const known = emitters.get(emitterKey(emitter));
    if (known === undefined) trace.push(emitter);
    else mergeScopes(known.scopeSpans, emitter.scopeSpans);
  }
}

function mergeScopes(into: ScopeSpans[], part: readonly ScopeSpans[]): void {
  const scopes = new Map(into.map((scope) => [scopeKey(scope), scope]));
  for (const scope of part) {
    const known = scopes.get(scopeKey(scope));
    if (known === undefined) into.push(scope);
    else for (const span of scope.spans) known.spans.push(span);
  }
}

const emitterKey = ({ resource, schemaUrl }: ResourceSpans): string =>
  `${schemaUrl}\n${resource === undefined ? '' : writeResource(resource)}`;

const scopeKey = ({ scope, schemaUrl }: ScopeSpans): string =>
  `${schemaUrl}\n${scope === undefined ? '' : writeInstrumentationScope(scope)}`;

/** The value of an attribute, undefined when there is none of this key. */
export function attributeOf(attributes: readonly KeyValue[], key: string): AnyValue | undefined {
  return attributes.find((attribute) => attribute.key === key)?.value;
}

/** The name of the service that a resource tells of, '' when it tells none. */
export function serviceNameOf(resource: Resource | undefined): string {
  const name = attributeOf(resource?.attributes ?? [], serviceNameKey);
  return name?.case === 'stringValue' ? name.value : '';
}

function nameService({ attributes }: Resource): void {
  const at = attributes.findIndex(({ key }) => key === serviceNameKey);
  const name = attributes[at]?.value;
  if (name?.case === 'stringValue' && name.value !== '') return;
  const value =
    at === -1 ? missingServiceName : name?.case === 'stringValue' ? emptyServiceName : serviceNameOfWrongType;
  const attribute: KeyValue = { key: serviceNameKey, value: { case: 'stringValue', value } };
  if (at === -1) attributes.push(attribute);
  else attributes[at] = attribute;
}

/** A time as Go has it, with a sign: what is beyond 63 bits lies before 1970. */
export const goNanoseconds = (bits: Bits64): bigint => BigInt.asIntN(64, bigOf(bits));

/** Jaeger does so for spans of no length at all, too, which tells a reader nothing and makes each of them suspicious; those stay as they are. */
function putEndRight(span: Span): void {
  const start = goNanoseconds(span.startTimeUnixNano);
  const end = goNanoseconds(span.endTimeUnixNano);
  if (end >= start) return;
  const adjusted = start + 1n;
  span.endTimeUnixNano = bitsOf(BigInt.asUintN(64, adjusted));
  addWarning(
    span,
    `Negative duration detected, sanitizing end timestamp. Original end timestamp: ${goTime(end)}, adjusted to: ${goTime(adjusted)}`,
  );
}
