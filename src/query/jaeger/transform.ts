/** A file of OTLP's JSON as traces, which Jaeger's UI uploads to have it shown. */
import { parseJson } from '../../codec/otlp/json-text.ts';
import { type ResourceSpans, readExportTraceServiceRequest, type Span } from '../../codec/otlp/otlp.generated.ts';
import type { OtlpTrace } from './otlp-trace.ts';

/** Reads a file: its spans by trace, in the order in which the traces appear. Throws a CodecError for what is none. */
export function parseOtlpFile(body: Buffer): readonly OtlpTrace[] {
  const traces = new Map<string, OtlpTrace>();
  for (const resourceSpans of readExportTraceServiceRequest(parseJson(body)).resourceSpans) {
    for (const [traceId, part] of byTrace(resourceSpans)) {
      const trace = traces.get(traceId) ?? [];
      traces.set(traceId, trace);
      trace.push(part);
    }
  }
  return [...traces.values()];
}

/** What of an emitter's spans belongs to each trace. */
function byTrace(resourceSpans: ResourceSpans): Map<string, ResourceSpans> {
  const parts = new Map<string, ResourceSpans>();
  for (const scopeSpans of resourceSpans.scopeSpans) {
    const groups = new Map<string, Span[]>();
    for (const span of scopeSpans.spans) {
      const group = groups.get(span.traceId) ?? [];
      groups.set(span.traceId, group);
      group.push(span);
    }
    for (const [traceId, spans] of groups) {
      const part = parts.get(traceId) ?? { ...resourceSpans, scopeSpans: [] };
      parts.set(traceId, part);
      part.scopeSpans.push({ ...scopeSpans, spans });
    }
  }
  return parts;
}
