/** OTLP's TraceService, whatever it is reached by: takes a request's bytes and says what became of its spans. */
import { CodecError } from '../../codec/codec-error.ts';
import { type OtlpFormat, rpcCodes } from '../../codec/otlp/answers.ts';
import { decodeJsonInSteps, decodeProtobufInSteps } from '../../codec/otlp/decode-spans.ts';
import type { DecodedSpans } from '../../codec/otlp/to-spans.ts';
import type { Accept } from '../../model/batch.ts';
import type { Host } from '../../pipeline/component.ts';
import type { LossReason } from '../../pipeline/meter.ts';
import { retryResponse } from '../../pipeline/refusal.ts';
import { createStepRunner } from '../../pipeline/step-runner.ts';
import { findWideSpan, tellWideSpan } from '../../pipeline/wide-spans.ts';

/** What became of a request. A refusal has its status as HTTP and as gRPC say it. */
export type ExportOutcome =
  | { readonly kind: 'taken'; readonly rejected: number; readonly reason: string }
  | {
      readonly kind: 'refused';
      readonly status: number;
      readonly rpcCode: number;
      readonly message: string;
      readonly retryAfterMs?: number;
    };

export interface ExportRequest {
  readonly body: Buffer;
  readonly format: OtlpFormat;
  readonly signal: AbortSignal;
}

export type TraceService = (request: ExportRequest) => Promise<ExportOutcome>;

/** A body with more spans than are taken in one. */
class TooManySpansError extends Error {}

const inSteps = { protobuf: decodeProtobufInSteps, json: decodeJsonInSteps } as const;

/** gRPC's code for a refusal's HTTP status, as the OpenTelemetry collector pairs them. */
export function rpcCodeOf(status: number): number {
  if (status === 429) return rpcCodes.resourceExhausted;
  if (status === 503) return rpcCodes.unavailable;
  return status < 500 ? rpcCodes.invalidArgument : rpcCodes.internal;
}

export interface TraceServiceOptions {
  readonly maxSpans: number;
  /** Attributes, events or links of one span. */
  readonly maxParts: number;
}

/** Makes the service. Spans that are refused one by one, for their ids, do not touch their neighbours. */
export function createTraceService(host: Host, accept: Accept, options: TraceServiceOptions): TraceService {
  const { maxSpans, maxParts } = options;
  const runner = createStepRunner();
  const refuse = (status: number, reason: LossReason, message: string): ExportOutcome => {
    // How many spans a body held that cannot be read is not known: it counts as one.
    host.meter.refused(host.name, 'spans', reason, 1, message);
    return { kind: 'refused', status, rpcCode: rpcCodeOf(status), message };
  };
  const check = (count: number) => {
    if (count <= maxSpans) return;
    throw new TooManySpansError(
      `the body holds more than ${maxSpans} spans (max_spans of [[inputs.otlp]]); send smaller batches`,
    );
  };
  return async ({ body, format, signal }) => {
    let decoded: DecodedSpans;
    try {
      const running = runner.run(inSteps[format](body), { check, signal });
      decoded = running instanceof Promise ? await running : running;
      check(decoded.spans.length);
    } catch (error) {
      if (error instanceof TooManySpansError) return refuse(413, 'over_limit', error.message);
      if (signal.aborted)
        return refuse(503, 'overloaded', 'the sender left, or its time was over, before its spans were decoded');
      if (error instanceof CodecError) return refuse(400, 'malformed', error.message);
      throw error;
    }
    const wide = findWideSpan(decoded.spans, body.length, maxParts);
    return wide === undefined ? keep(decoded, signal) : refuse(413, 'over_limit', tellWideSpan(wide, host.name));
  };

  async function keep({ spans, rejected, reason }: DecodedSpans, signal: AbortSignal): Promise<ExportOutcome> {
    if (spans.length > 0) {
      const outcome = await accept({ signal: 'spans', items: spans }, signal);
      if (outcome.kind === 'retry') {
        const { status, retryAfterMs } = retryResponse(outcome);
        const refused = {
          kind: 'refused',
          status,
          rpcCode: rpcCodeOf(status),
          message: outcome.cause.message,
        } as const;
        return retryAfterMs === undefined ? refused : { ...refused, retryAfterMs };
      }
      if (outcome.kind === 'rejected') {
        return { kind: 'refused', status: 400, rpcCode: rpcCodes.invalidArgument, message: outcome.cause.message };
      }
    }
    // Counted only now: a request that is repeated would count its bad spans again.
    if (rejected > 0) host.meter.refused(host.name, 'spans', 'malformed', rejected, reason);
    return { kind: 'taken', rejected, reason };
  }
}
