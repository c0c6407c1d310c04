/** Takes spans that senders of Zipkin post, and answers what Zipkin's own server would (reference: zipkin-server's ZipkinHttpCollector). */
import { CodecError } from '../../codec/codec-error.ts';
import { WideSpanError } from '../../codec/wide-span-error.ts';
import { decodeInSteps } from '../../codec/zipkin-decoders.ts';
import type { ZipkinFormat } from '../../codec/zipkin-format.ts';
import type { Accept } from '../../model/batch.ts';
import type { Span } from '../../model/span.ts';
import type { Host, InputKind, Running } from '../../pipeline/component.ts';
import type { IngestProblem, IngestRequest, IngestResponse, IngestRoute } from '../../pipeline/ingest-route.ts';
import type { LossReason } from '../../pipeline/meter.ts';
import { retryResponse } from '../../pipeline/refusal.ts';
import { createStepRunner } from '../../pipeline/step-runner.ts';
import { findWideSpan, tellWideSpan } from '../../pipeline/wide-spans.ts';
import { type ZipkinInputConfig, zipkinInputConfig } from './config.ts';

/** Senders treat any other 2xx as a loss: Envoy counts it under `tracing.zipkin.reports_dropped`. */
const accepted: IngestResponse = { status: 202 };

/** The format of a body by its media type: only the binary ones are told by it, everything else is JSON, as in Zipkin. */
type FormatOf = (mediaType: string) => ZipkinFormat;
export const formatV1: FormatOf = (mediaType) => (mediaType === 'application/x-thrift' ? 'THRIFT' : 'JSON_V1');
export const formatV2: FormatOf = (mediaType) => (mediaType === 'application/x-protobuf' ? 'PROTO3' : 'JSON_V2');

const problemReasons: Readonly<Record<IngestProblem, LossReason>> = {
  body_too_large: 'body_too_large',
  inflated_too_large: 'body_too_large',
  bad_encoding: 'malformed',
  unsupported_encoding: 'unsupported_encoding',
  body_incomplete: 'malformed',
  overloaded: 'overloaded',
};

/** `[]` is how zipkin-reporter's senders ask whether anybody is there. */
const isEmpty = (body: Buffer): boolean => body.length === 0 || (body.length === 2 && body.toString('latin1') === '[]');

/** A body with more spans than are taken in one. */
class TooManySpansError extends Error {}

export interface CollectorOptions {
  readonly formatOf: FormatOf;
  readonly maxSpans: number;
  /** Tags, or annotations, of one span. */
  readonly maxParts: number;
}

/** Makes the function that answers one post. */
export function createCollector(
  host: Host,
  accept: Accept,
  options: CollectorOptions,
): (request: IngestRequest) => Promise<IngestResponse> {
  const refuse = (status: number, reason: LossReason, message: string): IngestResponse => {
    // How many spans a body held that cannot be read is not known: it counts as one.
    host.meter.refused(host.name, 'spans', reason, 1, message);
    return { status, body: message };
  };
  const { formatOf, maxSpans, maxParts } = options;
  const runner = createStepRunner();
  const check = (count: number) => {
    if (count <= maxSpans) return;
    throw new TooManySpansError(
      `the body holds more than ${maxSpans} spans (max_spans of [[inputs.zipkin]]); send smaller batches`,
    );
  };
  return async ({ body, mediaType, signal }) => {
    if (isEmpty(body)) return accepted;
    let spans: readonly Span[];
    try {
      const running = runner.run(decodeInSteps(formatOf(mediaType), body, { maxSpans, maxParts }), { check, signal });
      spans = running instanceof Promise ? await running : running;
      check(spans.length);
    } catch (error) {
      if (error instanceof TooManySpansError) return refuse(413, 'over_limit', error.message);
      if (error instanceof WideSpanError) return refuse(413, 'over_limit', tellWideSpan(error.message, host.name));
      if (signal.aborted)
        return refuse(503, 'overloaded', 'the sender left, or its time was over, before its spans were decoded');
      if (error instanceof CodecError) return refuse(400, 'malformed', error.message);
      throw error;
    }
    if (spans.length === 0) return accepted;
    const wide = findWideSpan(spans, body.length, maxParts);
    if (wide !== undefined) return refuse(413, 'over_limit', tellWideSpan(wide, host.name));
    const outcome = await accept({ signal: 'spans', items: spans }, signal);
    switch (outcome.kind) {
      case 'kept':
        return accepted;
      case 'retry':
        return retryResponse(outcome);
      case 'rejected':
        return { status: 400, body: outcome.cause.message };
    }
  };
}

/** The input `[[inputs.zipkin]]`. */
export const zipkinInput: InputKind<ZipkinInputConfig> = {
  type: 'zipkin',
  summary: 'Takes spans over HTTP from Envoy, Istio and every library that reports to a Zipkin.',
  config: zipkinInputConfig,
  async start(config, host, accept): Promise<Running> {
    const { pathV1, pathV2 } = config;
    if (pathV1 === pathV2) throw new Error(`pathV1 and pathV2 are both ${pathV1}; give each a path of its own`);
    const routeFor = (path: string, formatOf: FormatOf): IngestRoute => ({
      method: 'POST',
      path,
      bodyLimitBytes: config.body_limit,
      inflatedLimitBytes: config.inflated_limit,
      allowsAnyOrigin: true,
      isZipkin: true,
      handle: createCollector(host, accept, {
        formatOf,
        maxSpans: config.max_spans,
        maxParts: config.max_span_parts,
      }),
      refused(problem, message) {
        host.meter.refused(host.name, 'spans', problemReasons[problem], 1, message);
      },
    });
    const remove = [host.routes.add(routeFor(pathV2, formatV2))];
    try {
      remove.push(host.routes.add(routeFor(pathV1, formatV1)));
    } catch (error) {
      for (const removeRoute of remove) removeRoute();
      throw error;
    }
    return {
      async stop() {
        for (const removeRoute of remove) removeRoute();
      },
      health: () => ({ isHealthy: true, line: `takes Zipkin's spans on POST ${pathV1} and ${pathV2}` }),
    };
  },
};
