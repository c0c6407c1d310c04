/** Traces and metrics are taken alike: a service, the paths that lead to it, and how its refusals are counted. */
import {
  encodeMetricsAnswer,
  encodeTraceAnswer,
  type OtlpFormat,
  type PartialRefusal,
} from '../../codec/otlp/answers.ts';
import type { Accept, Signal } from '../../model/batch.ts';
import type { Host } from '../../pipeline/component.ts';
import type { IngestProblem, IngestRoute } from '../../pipeline/ingest-route.ts';
import type { LossReason } from '../../pipeline/meter.ts';
import type { OtlpInputConfig } from './config.ts';
import type { ExportService } from './export-service.ts';
import { createMetricsService } from './metrics-service.ts';
import { createTraceService } from './trace-service.ts';

/** The methods' paths, as every client calls them. */
export const traceExportPath = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
export const metricsExportPath = '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export';

/** How a request that did not get as far as its items is answered over HTTP, and counted. */
export const problems: Readonly<Record<IngestProblem, { readonly status: number; readonly reason: LossReason }>> = {
  body_too_large: { status: 413, reason: 'body_too_large' },
  inflated_too_large: { status: 413, reason: 'body_too_large' },
  bad_encoding: { status: 400, reason: 'malformed' },
  unsupported_encoding: { status: 415, reason: 'unsupported_encoding' },
  body_incomplete: { status: 400, reason: 'malformed' },
  overloaded: { status: 429, reason: 'overloaded' },
};

export interface OtlpSignal {
  readonly service: ExportService;
  /** Over HTTP. */
  readonly paths: readonly string[];
  /** Over gRPC. */
  readonly exportPath: string;
  encodeAnswer(refused: PartialRefusal, format: OtlpFormat): Uint8Array;
  /** Counts what does not get as far as its items. */
  readonly refused: IngestRoute['refused'];
  countMalformed(why: string): void;
}

/** The signals that a block takes. */
export function createSignals(config: OtlpInputConfig, host: Host, accept: Accept): readonly OtlpSignal[] {
  const countAs = (signal: Signal): Pick<OtlpSignal, 'refused' | 'countMalformed'> => ({
    refused: (problem, message) => host.meter.refused(host.name, signal, problems[problem].reason, 1, message),
    countMalformed: (why) => host.meter.refused(host.name, signal, 'malformed', 1, why),
  });
  const { max_spans: maxSpans, max_span_parts: maxParts, max_samples: maxSamples } = config;
  return [
    {
      service: createTraceService(host, accept, { maxSpans, maxParts }),
      paths: [...new Set(config.paths)],
      exportPath: traceExportPath,
      encodeAnswer: encodeTraceAnswer,
      ...countAs('spans'),
    },
    {
      service: createMetricsService(host, accept, { maxSamples }),
      paths: [...new Set(config.metrics_paths)],
      exportPath: metricsExportPath,
      encodeAnswer: encodeMetricsAnswer,
      ...countAs('samples'),
    },
  ];
}
