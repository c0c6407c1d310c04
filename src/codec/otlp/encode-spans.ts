/** OTLP traces out: spans as the body of a request, in protobuf or JSON. */
import type { Span } from '../../model/span.ts';
import { WireWriter } from '../protobuf/wire-writer.ts';
import { fromSpans } from './from-spans.ts';
import { encodeExportTraceServiceRequest, writeExportTraceServiceRequest } from './otlp.generated.ts';

/** Encodes an `ExportTraceServiceRequest` in protobuf. */
export function encodeProtobufSpans(spans: readonly Span[]): Uint8Array {
  const writer = new WireWriter();
  encodeExportTraceServiceRequest({ resourceSpans: fromSpans(spans) }, writer);
  return writer.finish();
}

/** Encodes an `ExportTraceServiceRequest` in JSON: hex ids, enums as numbers, 64-bit integers as text. */
export function encodeJsonSpans(spans: readonly Span[]): string {
  return writeExportTraceServiceRequest({ resourceSpans: fromSpans(spans) });
}
