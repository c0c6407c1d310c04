/** `GET /api/v2/trace/:id`: a trace as it came. */
import type { Span } from '../../model/span.ts';
import { textAnswer } from '../failure.ts';
import type { QueryRequest, QueryResponse } from '../query-route.ts';
import { json, retrySoon } from './answer.ts';
import { encodeTrace } from './encode-trace.ts';
import { parseTraceId } from './trace-id.ts';

/** `traceById` of the store's readers, bound to a client. */
export interface TraceSource {
  traceById(traceId: string, signal: AbortSignal): Promise<readonly Span[]>;
}

interface TraceOptions {
  readonly traces: TraceSource;
  readonly freshen: (signal: AbortSignal) => Promise<void>;
  readonly isCurrent: () => boolean;
}

export async function answerTrace(options: TraceOptions, { params, signal }: QueryRequest): Promise<QueryResponse> {
  const id = parseTraceId(params['id'] ?? '');
  if (id.kind === 'malformed') return textAnswer(400, id.message);
  // Asked before the look-up: what becomes current during it may have come too late for it.
  const isCurrent = options.isCurrent();
  let spans = await options.traces.traceById(id.text, signal);
  if (spans.length === 0 && !isCurrent) {
    try {
      await options.freshen(signal);
    } catch (error) {
      if (signal.aborted) throw error;
      // A 404 would be a promise that the trace is not there, which nobody knows now.
      const reason = error instanceof Error ? error.message : String(error);
      return { ...textAnswer(503, `${id.text} not found yet: the store is behind (${reason})`), headers: retrySoon };
    }
    spans = await options.traces.traceById(id.text, signal);
  }
  if (spans.length === 0) return textAnswer(404, `${id.text} not found`);
  return json(await encodeTrace(spans, signal));
}
