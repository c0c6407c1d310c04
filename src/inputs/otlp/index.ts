/** Takes traces that OpenTelemetry's SDKs and collectors send, over HTTP and over gRPC (https://opentelemetry.io/docs/specs/otlp/). */
import { encodeExportAnswer, encodeRefusal, type OtlpFormat } from '../../codec/otlp/answers.ts';
import type { InputKind, Running } from '../../pipeline/component.ts';
import type { IngestProblem, IngestRequest, IngestResponse, IngestRoute } from '../../pipeline/ingest-route.ts';
import type { LossReason } from '../../pipeline/meter.ts';
import { type OtlpInputConfig, otlpInputConfig } from './config.ts';
import { createGrpcRoute } from './grpc-route.ts';
import { createTraceService, rpcCodeOf, type TraceService } from './trace-service.ts';

const mediaTypes: Readonly<Record<OtlpFormat, string>> = {
  protobuf: 'application/x-protobuf',
  json: 'application/json',
};

/** How a request that did not get as far as its spans is answered over HTTP, and counted. */
const problems: Readonly<Record<IngestProblem, { readonly status: number; readonly reason: LossReason }>> = {
  body_too_large: { status: 413, reason: 'body_too_large' },
  inflated_too_large: { status: 413, reason: 'body_too_large' },
  bad_encoding: { status: 400, reason: 'malformed' },
  unsupported_encoding: { status: 415, reason: 'unsupported_encoding' },
  body_incomplete: { status: 400, reason: 'malformed' },
  overloaded: { status: 429, reason: 'overloaded' },
};

function formatOf(mediaType: string): OtlpFormat | undefined {
  if (mediaType === mediaTypes.protobuf) return 'protobuf';
  return mediaType === mediaTypes.json ? 'json' : undefined;
}

/** Answers come in the form that the request has. */
async function answer(service: TraceService, format: OtlpFormat, request: IngestRequest): Promise<IngestResponse> {
  const outcome = await service({ body: request.body, format, signal: request.signal });
  const contentType = mediaTypes[format];
  if (outcome.kind === 'taken') return { status: 200, contentType, body: encodeExportAnswer(outcome, format) };
  const { status, rpcCode, message, retryAfterMs } = outcome;
  const refused = { status, contentType, body: encodeRefusal(rpcCode, message, format) };
  return retryAfterMs === undefined ? refused : { ...refused, retryAfterMs };
}

/** The input `[[inputs.otlp]]`. */
export const otlpInput: InputKind<OtlpInputConfig> = {
  type: 'otlp',
  summary: "Takes traces from OpenTelemetry's SDKs and collectors, over OTLP.",
  config: otlpInputConfig,
  async start(config, host, accept): Promise<Running> {
    const service = createTraceService(host, accept, {
      maxSpans: config.max_spans,
      maxParts: config.max_span_parts,
    });
    const refuseType = (mediaType: string): IngestResponse => {
      const message = `Content-Type ${JSON.stringify(mediaType.slice(0, 100))} is not understood; send ${mediaTypes.protobuf} or ${mediaTypes.json}`;
      host.meter.refused(host.name, 'spans', 'malformed', 1, message);
      return { status: 415, body: `${message}\n` };
    };
    const refused: IngestRoute['refused'] = (problem, message) =>
      host.meter.refused(host.name, 'spans', problems[problem].reason, 1, message);
    const routeFor = (path: string): IngestRoute => ({
      method: 'POST',
      path,
      bodyLimitBytes: config.body_limit,
      inflatedLimitBytes: config.inflated_limit,
      allowsAnyOrigin: false,
      isOtlp: true,
      handle(request) {
        const format = formatOf(request.mediaType);
        return format === undefined ? Promise.resolve(refuseType(request.mediaType)) : answer(service, format, request);
      },
      refused,
      tell(problem, message, mediaType) {
        const format = formatOf(mediaType);
        if (format === undefined) return undefined;
        const body = encodeRefusal(rpcCodeOf(problems[problem].status), message, format);
        return { contentType: mediaTypes[format], body };
      },
    });
    const paths = [...new Set(config.paths)];
    const remove: (() => void)[] = [];
    try {
      for (const path of paths) remove.push(host.routes.add(routeFor(path)));
      if (config.grpc) remove.push(host.routes.add(createGrpcRoute(service, config, refused)));
    } catch (error) {
      for (const removeRoute of remove) removeRoute();
      throw error;
    }
    const line = `takes OpenTelemetry's traces on POST ${paths.join(' and ')}${config.grpc ? ', and over gRPC' : ''}`;
    return {
      async stop() {
        for (const removeRoute of remove) removeRoute();
      },
      health: () => ({ isHealthy: true, line }),
    };
  },
};
