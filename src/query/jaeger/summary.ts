/** What v3's `trace-summaries` says of a trace (jaegerquery's querysvc/summary.go). Fields that are zero or empty are left out. */
import { bigOf } from '../../codec/protobuf/wire-writer.ts';
import { type OtlpTrace, otlpStatuses, serviceNameOf, spansOf } from './otlp-trace.ts';

interface ServiceCounts {
  spanCount: number;
  errorSpanCount: number;
}

/** Summarizes one trace. */
export function summarizeTrace(trace: OtlpTrace): Readonly<Record<string, unknown>> {
  const ids = new Set<string>();
  for (const { span } of spansOf(trace)) ids.add(span.spanId);
  const services = new Map<string, ServiceCounts>();
  const total = { spanCount: 0, errorSpanCount: 0, orphanSpanCount: 0 };
  let root: { readonly service: string; readonly operation: string; readonly startNs: bigint } | undefined;
  let traceId = '';
  let minStartNs: bigint | undefined;
  let maxEndNs = 0n;
  for (const { span, resourceSpans } of spansOf(trace)) {
    traceId = span.traceId;
    const service = serviceNameOf(resourceSpans.resource);
    const counts = services.get(service) ?? { spanCount: 0, errorSpanCount: 0 };
    services.set(service, counts);
    counts.spanCount++;
    total.spanCount++;
    if (span.status?.code === otlpStatuses.error) {
      counts.errorSpanCount++;
      total.errorSpanCount++;
    }
    const startNs = bigOf(span.startTimeUnixNano);
    const endNs = bigOf(span.endTimeUnixNano);
    if (minStartNs === undefined || startNs < minStartNs) minStartNs = startNs;
    if (endNs > maxEndNs) maxEndNs = endNs;
    if (span.parentSpanId === '') {
      if (root === undefined || startNs < root.startNs) root = { service, operation: span.name, startNs };
    } else if (!ids.has(span.parentSpanId)) total.orphanSpanCount++;
  }
  return withoutZeros({
    traceId,
    rootServiceName: root?.service ?? '',
    rootOperationName: root?.operation ?? '',
    minStartTimeUnixNano: nsText(minStartNs ?? 0n),
    maxEndTimeUnixNano: nsText(maxEndNs),
    ...total,
    services: [...services]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, counts]) => withoutZeros({ name, ...counts })),
  });
}

const nsText = (ns: bigint): string => (ns === 0n ? '' : String(ns));

const withoutZeros = (fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== 0 && value !== ''));
