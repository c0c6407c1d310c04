/** OTLP's services over HTTP, in protobuf and JSON (https://opentelemetry.io/docs/specs/otlp/#otlphttp). */
import { encodeRefusal, type OtlpFormat } from '../../codec/otlp/answers.ts';
import type { IngestRequest, IngestResponse, IngestRoute } from '../../pipeline/ingest-route.ts';
import type { OtlpInputConfig } from './config.ts';
import { rpcCodeOf } from './export-service.ts';
import { type OtlpSignal, problems } from './otlp-signal.ts';

const mediaTypes: Readonly<Record<OtlpFormat, string>> = {
  protobuf: 'application/x-protobuf',
  json: 'application/json',
};

function formatOf(mediaType: string): OtlpFormat | undefined {
  if (mediaType === mediaTypes.protobuf) return 'protobuf';
  return mediaType === mediaTypes.json ? 'json' : undefined;
}

/** Answers come in the form that the request has. */
async function answer(
  { service, encodeAnswer }: OtlpSignal,
  format: OtlpFormat,
  request: IngestRequest,
): Promise<IngestResponse> {
  const outcome = await service({ body: request.body, format, signal: request.signal });
  const contentType = mediaTypes[format];
  if (outcome.kind === 'taken') return { status: 200, contentType, body: encodeAnswer(outcome, format) };
  const { status, rpcCode, message, retryAfterMs } = outcome;
  const refused = { status, contentType, body: encodeRefusal(rpcCode, message, format) };
  return retryAfterMs === undefined ? refused : { ...refused, retryAfterMs };
}

/** Makes the route for one of a signal's paths. */
export function createHttpRoute(signal: OtlpSignal, path: string, config: OtlpInputConfig): IngestRoute {
  const refuseType = (mediaType: string): IngestResponse => {
    const message = `Content-Type ${JSON.stringify(mediaType.slice(0, 100))} is not understood; send ${mediaTypes.protobuf} or ${mediaTypes.json}`;
    signal.countMalformed(message);
    return { status: 415, body: `${message}\n` };
  };
  return {
    method: 'POST',
    path,
    bodyLimitBytes: config.body_limit,
    inflatedLimitBytes: config.inflated_limit,
    allowsAnyOrigin: false,
    isOtlp: true,
    handle(request) {
      const format = formatOf(request.mediaType);
      return format === undefined ? Promise.resolve(refuseType(request.mediaType)) : answer(signal, format, request);
    },
    refused: signal.refused,
    tell(problem, message, mediaType) {
      const format = formatOf(mediaType);
      if (format === undefined) return undefined;
      const body = encodeRefusal(rpcCodeOf(problems[problem].status), message, format);
      return { contentType: mediaTypes[format], body };
    },
  };
}
