/** Loki's HTTP API over stored log lines: range queries for lines, GET and POST. */

import { within } from '../../model/deadline.ts';
import { compareBytes, type Label } from '../../model/sample.ts';
import type { LogLine, LogSelection } from '../../store/readers/logs.ts';
import { failureOf, textAnswer, untilEnded } from '../failure.ts';
import { LogqlError } from '../logql/error.ts';
import { parseLogql } from '../logql/parse.ts';
import { type Parameters, parametersOf } from '../parameters.ts';
import type { QueryRequest, QueryResponse, QueryRoute } from '../query-route.ts';
import { BadParameter, rangeParameters } from './parameters.ts';

/** What the API reads: the store's `readLogs`, bound to a client. */
export interface LogSource {
  select(selection: LogSelection, signal: AbortSignal): Promise<readonly LogLine[]>;
}

export interface LokiLimits {
  readonly timeoutMs: number;
  /** The largest `limit` that a query may ask for. */
  readonly maxLines: number;
}

export const defaultLokiLimits: LokiLimits = { timeoutMs: 10_000, maxLines: 5000 };

export interface LokiApiOptions {
  readonly logs: LogSource;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly limits?: LokiLimits;
}

/**
 * The labels of a line's stream. They are what says where a line came from and has few values: namespace, pod, container, stream, and the
 * service under Loki's own name for it, `service_name` (a selector may say `service` as well). What differs from line to line (trace ids,
 * severity) would make a stream of every line, and a pod's node follows from the pod, so neither is among them. Empty ones are left out.
 */
const streamLabels = (line: LogLine): Label[] => {
  const labels: Label[] = [
    ['container', line.container],
    ['namespace', line.namespace],
    ['pod', line.pod],
    ['service_name', line.service],
    ['stream', line.stream],
  ];
  return labels.filter(([, value]) => value !== '');
};

interface Stream {
  readonly labels: readonly Label[];
  readonly values: [timeNs: string, line: string][];
}

/** Lines by stream, streams by their labels, and within a stream the order in which the lines came. */
function toStreams(lines: readonly LogLine[]): readonly Stream[] {
  const streams = new Map<string, Stream>();
  for (const line of lines) {
    const labels = streamLabels(line);
    const key = labels.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(', ');
    const stream = streams.get(key) ?? { labels, values: [] };
    streams.set(key, stream);
    stream.values.push([line.timeNs.toString(), line.body]);
  }
  return [...streams].sort(([a], [b]) => compareBytes(a, b)).map(([, stream]) => stream);
}

/** Grafana shows the figures of `summary`; of the other parts it wants to see that they are there. */
function toStats(lines: readonly LogLine[], tookMs: number): object {
  const sizeBytes = lines.reduce((sum, { body }) => sum + Buffer.byteLength(body), 0);
  const tookS = Math.max(tookMs, 1) / 1000;
  return {
    summary: {
      bytesProcessedPerSecond: Math.round(sizeBytes / tookS),
      linesProcessedPerSecond: Math.round(lines.length / tookS),
      totalBytesProcessed: sizeBytes,
      totalLinesProcessed: lines.length,
      execTime: tookS,
      queueTime: 0,
      subqueries: 0,
      totalEntriesReturned: lines.length,
      splits: 0,
      shards: 0,
      totalPostFilterLines: lines.length,
      totalStructuredMetadataBytesProcessed: 0,
    },
    querier: {},
    ingester: {},
    cache: {},
    index: {},
  };
}

async function answerRange(
  options: LokiApiOptions,
  parameters: Parameters,
  signal: AbortSignal,
): Promise<QueryResponse> {
  const limits = options.limits ?? defaultLokiLimits;
  const startedMs = options.now();
  const range = rangeParameters(parameters, BigInt(startedMs) * 1_000_000n, limits.maxLines);
  const expression = parseLogql(parameters('query'));
  const lines =
    range.startNs === range.endNs
      ? []
      : await within(signal, limits.timeoutMs, (deadline) =>
          untilEnded(deadline, options.logs.select({ ...expression, ...range }, deadline)),
        );
  const result = toStreams(lines).map(({ labels, values }) => ({ stream: Object.fromEntries(labels), values }));
  const stats = toStats(lines, options.now() - startedMs);
  return {
    status: 200,
    contentType: 'application/json; charset=UTF-8',
    body: JSON.stringify({ status: 'success', data: { resultType: 'streams', result, stats } }),
  };
}

/** Failures in Loki's manner: a status and the bare message as text. */
function answerFor(error: unknown): QueryResponse {
  if (error instanceof BadParameter || error instanceof LogqlError) return textAnswer(400, error.message);
  const failure = failureOf(error);
  if (failure === undefined) throw error;
  // Loki has 504 for a query that took too long, and 400 for one that its limits forbid.
  const statuses: Partial<Record<typeof failure.kind, number>> = { timeout: 504, limit: 400 };
  const message = failure.kind === 'bad_regex' ? `parse error : ${failure.message}` : failure.message;
  return textAnswer(statuses[failure.kind] ?? failure.status, message);
}

/** The routes `/loki/api/v1/query_range` for GET and POST. */
export function createLokiRoutes(options: LokiApiOptions): readonly QueryRoute[] {
  const handle = async ({ query, form, signal }: QueryRequest): Promise<QueryResponse> => {
    try {
      return await answerRange(options, parametersOf(query, form), signal);
    } catch (error) {
      return answerFor(error);
    }
  };
  return [
    { method: 'GET', path: '/loki/api/v1/query_range', handle },
    { method: 'POST', path: '/loki/api/v1/query_range', handle },
  ];
}
