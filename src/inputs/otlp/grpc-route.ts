/** OTLP's TraceService over gRPC (https://opentelemetry.io/docs/specs/otlp/#otlpgrpc). */
import { encodeExportAnswer } from '../../codec/otlp/answers.ts';
import type { IngestResponse, IngestRoute } from '../../pipeline/ingest-route.ts';
import type { OtlpInputConfig } from './config.ts';
import type { TraceService } from './trace-service.ts';

/** The method's path, as every client calls it. */
export const traceExportPath = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';

/** Makes the route for the method; `refused` counts what does not get as far as its spans. */
export function createGrpcRoute(
  service: TraceService,
  config: OtlpInputConfig,
  refused: IngestRoute['refused'],
): IngestRoute {
  return {
    method: 'POST',
    path: traceExportPath,
    bodyLimitBytes: config.body_limit,
    inflatedLimitBytes: config.inflated_limit,
    allowsAnyOrigin: false,
    isGrpc: true,
    async handle({ body, signal }): Promise<IngestResponse> {
      const outcome = await service({ body, format: 'protobuf', signal });
      if (outcome.kind === 'taken') return { status: 200, body: encodeExportAnswer(outcome, 'protobuf') };
      const { status, message, retryAfterMs } = outcome;
      return retryAfterMs === undefined ? { status, body: message } : { status, body: message, retryAfterMs };
    },
    refused,
  };
}
