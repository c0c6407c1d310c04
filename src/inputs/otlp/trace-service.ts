/** OTLP's TraceService, whatever it is reached by: takes a request's bytes and says what became of its spans. */
import { CodecError } from '../../codec/codec-error.ts';
import { decodeJsonInSteps, decodeProtobufInSteps } from '../../codec/otlp/decode-spans.ts';
import type { DecodedSpans } from '../../codec/otlp/to-spans.ts';
import type { Accept } from '../../model/batch.ts';
import type { Host } from '../../pipeline/component.ts';
import type { LossReason } from '../../pipeline/meter.ts';
import { createStepRunner } from '../../pipeline/step-runner.ts';
import { findWideSpan, tellWideSpan } from '../../pipeline/wide-spans.ts';
import { type ExportOutcome, type ExportService, refusedExport, retryLater } from './export-service.ts';

/** A body with more spans than are taken in one. */
class TooManySpansError extends Error {}

const inSteps = { protobuf: decodeProtobufInSteps, json: decodeJsonInSteps } as const;

export interface TraceServiceOptions {
  readonly maxSpans: number;
  /** Attributes, events or links of one span. */
  readonly maxParts: number;
}

/** Makes the service. Spans that are refused one by one, for their ids, do not touch their neighbours. */
export function createTraceService(host: Host, accept: Accept, options: TraceServiceOptions): ExportService {
  const { maxSpans, maxParts } = options;
  const runner = createStepRunner();
  const refuse = (status: number, reason: LossReason, message: string): ExportOutcome => {
    // How many spans a body held that cannot be read is not known: it counts as one.
    host.meter.refused(host.name, 'spans', reason, 1, message);
    return refusedExport(status, message);
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
      if (outcome.kind === 'retry') return retryLater(outcome);
      if (outcome.kind === 'rejected') return refusedExport(400, outcome.cause.message);
    }
    // Counted only now: a request that is repeated would count its bad spans again.
    if (rejected > 0) host.meter.refused(host.name, 'spans', 'malformed', rejected, reason);
    return { kind: 'taken', rejected, reason };
  }
}
