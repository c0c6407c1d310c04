/** `/api/metrics/…`, which the Monitor tab draws (jaegerquery's query_parser.go; metricstore/prometheus for the shape of the answers). */
import type { SpanKind } from '../../model/span.ts';
import type { OperationPoint, OperationSeries } from '../../store/rollups/operation-stats.ts';
import type { QueryResponse } from '../query-route.ts';
import { jsonAnswer } from './answers.ts';
import { type Parsed, parseGoBool } from './go-text.ts';
import { missingServiceName } from './otlp-trace.ts';
import { ParameterError, parsedValue, parseInt64, v1Context, v1Value } from './search-parameters.ts';
import type { JaegerApiOptions, OperationStatsQuery } from './source.ts';

/** What is drawn, by the last part of the path. */
export const monitorMetrics = ['latencies', 'calls', 'errors'] as const;
export type MonitorMetric = (typeof monitorMetrics)[number];

/** The roll-ups count minutes. */
export const minStepMs = 60_000;

const maxPoints = 11_000;
const defaults = { lookbackMs: 3_600_000n, stepMs: 5_000n, ratePerMs: 600_000n } as const;
/** The year 9999, beyond which Date writes no RFC 3339. */
const lastMs = 253_402_300_799_999n;

const kinds = new Map<string, SpanKind | undefined>([
  ['unspecified', undefined],
  ['internal', 'INTERNAL'],
  ['server', 'SERVER'],
  ['client', 'CLIENT'],
  ['producer', 'PRODUCER'],
  ['consumer', 'CONSUMER'],
]);

/** Answers one of the metrics. */
export async function answerMonitor(
  { source, nowMs }: JaegerApiOptions,
  metric: MonitorMetric,
  request: { readonly query: URLSearchParams; readonly signal: AbortSignal },
): Promise<QueryResponse> {
  const { query, signal } = request;
  const quantile = metric === 'latencies' ? parseQuantile(query.get('quantile') ?? '') : undefined;
  const asked = parseMonitorQuery(query, nowMs());
  const series = await source.operationStats({ ...asked, ...(quantile === undefined ? {} : { quantile }) }, signal);
  return jsonAnswer(JSON.stringify(familyOf(metric, { series, quantile, byOperation: asked.byOperation })), query);
}

function parseQuantile(text: string): number {
  const value = /^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(value)) {
    throw new ParameterError(
      `${v1Context('quantile')}strconv.ParseFloat: parsing ${JSON.stringify(text)}: invalid syntax`,
    );
  }
  if (value < 0 || value > 1) throw new ParameterError(`${v1Context('quantile')}${text} is not between 0 and 1`);
  return value;
}

function parseMonitorQuery(query: URLSearchParams, nowMs: number): OperationStatsQuery {
  const services = query.getAll('service');
  if (services.length === 0) {
    throw new ParameterError(`${v1Context('service')}please provide at least one service name`);
  }
  const byOperation = v1Value(query, 'groupByOperation', parseGoBool, false);
  const kindTexts = query.getAll('spanKind');
  const spanKinds = (kindTexts.length === 0 ? ['server'] : kindTexts).map((text) =>
    parsedValue(v1Context('spanKind'), parseKind(text)),
  );
  const endMs = v1Value(query, 'endTs', parseInt64, BigInt(Math.trunc(nowMs)));
  const lookbackMs = v1Value(query, 'lookback', parseInt64, defaults.lookbackMs);
  const stepMs = positive(query, 'step', defaults.stepMs);
  const ratePerMs = positive(query, 'ratePer', defaults.ratePerMs);
  if (lookbackMs < 0n) throw new ParameterError(`${v1Context('lookback')}it must not be negative`);
  if (endMs < 0n || endMs > lastMs)
    throw new ParameterError(`${v1Context('endTs')}${endMs} is no time in milliseconds`);
  if (lookbackMs / stepMs >= maxPoints) {
    throw new ParameterError(
      `${v1Context('step')}${lookbackMs / stepMs} points are more than ${maxPoints}; choose a longer step`,
    );
  }
  const startMs = endMs < lookbackMs ? 0n : endMs - lookbackMs;
  return {
    services: services.includes(missingServiceName) ? [...services, ''] : services,
    kinds: spanKinds,
    byOperation,
    startMs: Number(startMs),
    endMs: Number(endMs),
    stepMs: Number(stepMs),
    ratePerMs: Number(ratePerMs),
  };
}

function positive(query: URLSearchParams, name: string, otherwise: bigint): bigint {
  const value = v1Value(query, name, parseInt64, otherwise);
  if (value <= 0n || value > lastMs) throw new ParameterError(`${v1Context(name)}it must be greater than 0`);
  return value;
}

function parseKind(text: string): Parsed<SpanKind | undefined> {
  if (!kinds.has(text)) return { kind: 'malformed', message: `unsupported span kind: '${text}'` };
  return { kind: 'value', value: kinds.get(text) };
}

interface Drawn {
  readonly series: readonly OperationSeries[];
  readonly quantile: number | undefined;
  readonly byOperation: boolean;
}

function familyOf(metric: MonitorMetric, { series, quantile, byOperation }: Drawn): object {
  const what = byOperation ? 'service_operation' : 'service';
  const name = { latencies: 'latencies', calls: 'call_rate', errors: 'error_rate' }[metric];
  const help = {
    latencies: `${(quantile ?? 0).toFixed(2)}th quantile latency`,
    calls: 'calls/sec',
    errors: 'error rate, computed as a fraction of errors/sec over calls/sec',
  }[metric];
  return {
    name: `${what}_${name}`,
    type: 'GAUGE',
    help: `${help}, grouped by service${byOperation ? ' & operation' : ''}`,
    metrics: series.map(({ service, operation, points }) => ({
      labels: [
        { name: 'service_name', value: service || missingServiceName },
        ...(operation === undefined ? [] : [{ name: 'operation', value: operation }]),
      ],
      metricPoints: points.map((point) => ({
        gaugeValue: { doubleValue: jsonDouble(valueAt(metric, point)) },
        timestamp: timestampOf(point.timeMs),
      })),
    })),
  };
}

function valueAt(metric: MonitorMetric, { calls, errors, coveredMs, quantileUs }: OperationPoint): number {
  switch (metric) {
    case 'latencies':
      return quantileUs === undefined ? Number.NaN : Number((quantileUs / 1000).toPrecision(12));
    case 'calls':
      return coveredMs === 0 ? Number.NaN : calls / (coveredMs / 1000);
    case 'errors':
      return errors / calls;
  }
}

/** Protobuf's JSON writes what JSON has no number for as a text. */
const jsonDouble = (value: number): number | string => (Number.isFinite(value) ? value : String(value));

const timestampOf = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z');
