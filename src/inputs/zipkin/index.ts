/** Takes spans that senders of Zipkin post, and answers what Zipkin's own server would (reference: zipkin-server's ZipkinHttpCollector). */
import { CodecError } from '../../codec/codec-error.ts';
import { decodeSpans } from '../../codec/zipkin-v2-json/decode-spans.ts';
import type { Accept } from '../../model/batch.ts';
import type { Span } from '../../model/span.ts';
import type { Host, InputKind, Running } from '../../pipeline/component.ts';
import type { IngestProblem, IngestRequest, IngestResponse } from '../../pipeline/ingest-route.ts';
import type { LossReason } from '../../pipeline/meter.ts';
import { retryResponse } from '../../pipeline/refusal.ts';
import { type ZipkinInputConfig, zipkinInputConfig } from './config.ts';

/** Senders treat any other 2xx as a loss: Envoy counts it under `tracing.zipkin.reports_dropped`. */
const accepted: IngestResponse = { status: 202 };

const otherFormats: Readonly<Record<string, string>> = {
  'application/x-protobuf': 'protobuf (proto3)',
  'application/x-thrift': 'thrift',
};

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

/** Makes the function that answers one post. */
export function createCollector(host: Host, accept: Accept): (request: IngestRequest) => Promise<IngestResponse> {
  const refuse = (status: number, reason: LossReason, message: string): IngestResponse => {
    // How many spans a body held that cannot be read is not known: it counts as one.
    host.meter.refused(host.name, 'spans', reason, 1, message);
    return { status, body: message };
  };
  return async ({ body, mediaType, signal }) => {
    if (isEmpty(body)) return accepted;
    const otherFormat = otherFormats[mediaType];
    if (otherFormat !== undefined) {
      return refuse(
        415,
        'unsupported_encoding',
        `${otherFormat} is not taken here: send Zipkin v2 JSON as application/json`,
      );
    }
    let spans: readonly Span[];
    try {
      spans = decodeSpans(body);
    } catch (error) {
      if (error instanceof CodecError) return refuse(400, 'malformed', error.message);
      throw error;
    }
    if (spans.length === 0) return accepted;
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
    const remove = host.routes.add({
      method: 'POST',
      path: config.pathV2,
      bodyLimitBytes: config.body_limit,
      inflatedLimitBytes: config.inflated_limit,
      allowsAnyOrigin: true,
      handle: createCollector(host, accept),
      refused(problem, message) {
        host.meter.refused(host.name, 'spans', problemReasons[problem], 1, message);
      },
    });
    return {
      async stop() {
        remove();
      },
      health: () => ({ isHealthy: true, line: `takes Zipkin v2 JSON on POST ${config.pathV2}` }),
    };
  },
};
