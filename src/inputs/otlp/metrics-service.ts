/** OTLP's MetricsService, whatever it is reached by: takes a request's bytes and says what became of its data points. */
import { CodecError } from '../../codec/codec-error.ts';
import { createMetricsDecoder } from '../../codec/otlp/decode-metrics.ts';
import { type DecodedMetrics, type LeftOutPoints, TooManySamplesError } from '../../codec/otlp/metrics-collector.ts';
import type { Accept, Outcome } from '../../model/batch.ts';
import type { Host } from '../../pipeline/component.ts';
import type { LossReason } from '../../pipeline/meter.ts';
import { createStepRunner } from '../../pipeline/step-runner.ts';
import {
  type ExportOutcome,
  type ExportRequest,
  type ExportService,
  refusedExport,
  retryLater,
} from './export-service.ts';

/** Some 60,000 series with ten labels each. */
const maxKnownBytes = 64 * 1024 * 1024;

export interface MetricsServiceOptions {
  readonly maxSamples: number;
}

function sentenceOf({ what, reason, count }: LeftOutPoints): string {
  return `${reason} (${count} ${count === 1 ? what.slice(0, -1) : what})`;
}

/** How many data points of a request lie outside the times that are taken; all of them where there are no such times. */
function countRejected({ pointTimesMs }: DecodedMetrics, takenMs: { from: number; to: number } | undefined): number {
  if (takenMs === undefined) return pointTimesMs.length;
  return pointTimesMs.filter((timeMs) => timeMs < takenMs.from || timeMs > takenMs.to).length;
}

/** Makes the service. Data points that cannot be taken do not touch their neighbours. */
export function createMetricsService(host: Host, accept: Accept, { maxSamples }: MetricsServiceOptions): ExportService {
  const decode = createMetricsDecoder({ maxSamples, maxKnownBytes });
  const runner = createStepRunner();

  const refuse = (status: number, reason: LossReason, message: string): ExportOutcome => {
    // How many samples a body held that cannot be read is not known: it counts as one.
    host.meter.refused(host.name, 'samples', reason, 1, message);
    return refusedExport(status, message);
  };

  /** What was not kept, in a form that a person finds in the sender's log. */
  const answer = (decoded: DecodedMetrics, outcome: Outcome): ExportOutcome => {
    const sentences: string[] = [];
    let rejected = 0;
    if (outcome.kind === 'rejected') {
      rejected += countRejected(decoded, outcome.takenMs);
      sentences.push(outcome.cause.message);
    }
    for (const each of decoded.leftOut) {
      const sentence = sentenceOf(each);
      host.meter.refused(host.name, 'samples', 'malformed', each.count, sentence);
      // As with Prometheus, an exemplar is nothing that a data point fails for.
      if (each.what === 'exemplars') continue;
      rejected += each.count;
      sentences.push(sentence);
    }
    return { kind: 'taken', rejected, reason: sentences.join('; ') };
  };

  const read = async ({ body, format, signal }: ExportRequest): Promise<DecodedMetrics | ExportOutcome> => {
    try {
      const running = runner.run(decode(body, format), { check: () => undefined, signal });
      return running instanceof Promise ? await running : running;
    } catch (error) {
      if (error instanceof TooManySamplesError) return refuse(413, 'over_limit', error.message);
      if (signal.aborted)
        return refuse(503, 'overloaded', 'the sender left, or its time was over, before its metrics were decoded');
      if (error instanceof CodecError) return refuse(400, 'malformed', error.message);
      throw error;
    }
  };

  return async (request) => {
    const decoded = await read(request);
    if ('kind' in decoded) return decoded;
    const { items, metadata, exemplars } = decoded;
    const outcome: Outcome =
      items.length === 0
        ? { kind: 'kept' }
        : await accept({ signal: 'samples', items, metadata, exemplars }, request.signal);
    // A request that is repeated would count what was left out again.
    if (outcome.kind === 'retry') return retryLater(outcome);
    if (outcome.kind === 'rejected' && outcome.takenMs === undefined) return refusedExport(400, outcome.cause.message);
    return answer(decoded, outcome);
  };
}
