/** OTLP's services over gRPC (https://opentelemetry.io/docs/specs/otlp/#otlpgrpc). */
import type { IngestResponse, IngestRoute } from '../../pipeline/ingest-route.ts';
import type { OtlpInputConfig } from './config.ts';
import type { OtlpSignal } from './otlp-signal.ts';

/** Makes the route for a signal's method. */
export function createGrpcRoute(
  { service, exportPath, encodeAnswer, refused }: OtlpSignal,
  config: OtlpInputConfig,
): IngestRoute {
  return {
    method: 'POST',
    path: exportPath,
    bodyLimitBytes: config.body_limit,
    inflatedLimitBytes: config.inflated_limit,
    allowsAnyOrigin: false,
    isGrpc: true,
    async handle({ body, signal }): Promise<IngestResponse> {
      const outcome = await service({ body, format: 'protobuf', signal });
      if (outcome.kind === 'taken') return { status: 200, body: encodeAnswer(outcome, 'protobuf') };
      const { status, message, retryAfterMs } = outcome;
      return retryAfterMs === undefined ? { status, body: message } : { status, body: message, retryAfterMs };
    },
    refused,
  };
}
