/** OTLP traces in: a request's body, in protobuf or JSON, as spans. Throws a CodecError for what is no such request. */
import { CodecError } from '../codec-error.ts';
import { decodeMessage } from '../protobuf/wire-reader.ts';
import { parseJson } from './json-text.ts';
import { decodeExportTraceServiceRequest, readExportTraceServiceRequest } from './otlp.generated.ts';
import { type DecodedSpans, toSpans } from './to-spans.ts';

/** Decodes an `ExportTraceServiceRequest` in protobuf. */
export function decodeProtobufSpans(body: Buffer): DecodedSpans {
  return toSpans(decodeMessage(body, decodeExportTraceServiceRequest));
}

/** Decodes an `ExportTraceServiceRequest` in JSON. */
export function decodeJsonSpans(body: Buffer): DecodedSpans {
  const json = parseJson(body);
  try {
    return toSpans(readExportTraceServiceRequest(json));
  } catch (error) {
    if (error instanceof CodecError) throw new CodecError(error.message.replace(/^(?:\.|: )/, ''));
    throw error;
  }
}
