/** Exemplars as rows of `exemplars` (columns: `../schema/migrations.ts`). */
import type { Exemplar } from '../../model/exemplar.ts';
import { type Label, labelValue } from '../../model/sample.ts';
import { type Column, NativeBlock } from './native-block.ts';
import { seriesId } from './series-id.ts';

const metric = ['metric', 'LowCardinality(String)'] as const;
const id = ['id', 'UInt64'] as const;
const ts = ['ts', "DateTime64(3, 'UTC')"] as const;
const value = ['v', 'Float64'] as const;
const labels = ['labels', 'Map(LowCardinality(String), String)'] as const;
const traceId = ['trace_id', 'FixedString(16)'] as const;

export const exemplarColumns: readonly Column[] = [metric, id, ts, value, labels, traceId];

const noTraceId = '0'.repeat(32);
/** As OpenTelemetry, Jaeger's and Grafana's own clients spell it. */
const traceIdNames: ReadonlySet<string> = new Set(['trace_id', 'traceID', 'traceid', 'TraceID']);

/** The trace id among an exemplar's labels as 32 lower-case hex digits, the high half zeros where it has 64 bits; '' where there is none. */
export function exemplarTraceId(exemplarLabels: readonly Label[]): string {
  for (const [name, text] of exemplarLabels) {
    if (traceIdNames.has(name) && /^(?:[0-9a-fA-F]{16}|[0-9a-fA-F]{32})$/.test(text)) {
      return text.toLowerCase().padStart(32, '0');
    }
  }
  return '';
}

/** Makes an encoder of exemplars into Native blocks. A block is valid until the next one is encoded. */
export function createExemplarEncoder(): (exemplars: readonly Exemplar[]) => Buffer {
  const block = new NativeBlock();
  return (exemplars) => {
    block.begin(exemplarColumns.length, exemplars.length);
    block.lowCardinality(metric, exemplars, ({ series }) => labelValue(series, '__name__'));
    const out = block.column(id);
    for (const { series } of exemplars) out.bigU64(seriesId(series));
    block.column(ts);
    for (const { timestampMs } of exemplars) out.i64(timestampMs);
    block.column(value);
    for (const exemplar of exemplars) out.f64(exemplar.value);
    block.map(labels, exemplars, (exemplar, put) => {
      for (const [name, text] of exemplar.labels) put(name, text);
    });
    block.column(traceId);
    for (const exemplar of exemplars) out.hex(exemplarTraceId(exemplar.labels) || noTraceId);
    return block.end();
  };
}
