/** Log records as rows of the table `logs` (columns: `../schema/migrations.ts`). */
import type { LogRecord } from '../../model/log-record.ts';
import { type Column, NativeBlock } from './native-block.ts';
import { resourceColumns, writeResource } from './resource.ts';

const ts = ['ts', "DateTime64(9, 'UTC')"] as const;
const line = ['line', 'UInt32'] as const;
const stream = ['stream', 'LowCardinality(String)'] as const;
const severity = ['severity', 'LowCardinality(String)'] as const;
const body = ['body', 'String'] as const;
const traceId = ['trace_id', 'FixedString(16)'] as const;
const spanId = ['span_id', 'UInt64'] as const;
const requestId = ['request_id', 'String'] as const;
const attributes = ['attributes', 'Map(LowCardinality(String), String)'] as const;

export const logColumns: readonly Column[] = [
  ts,
  line,
  stream,
  severity,
  body,
  traceId,
  spanId,
  requestId,
  attributes,
  ...resourceColumns,
];

const noTraceId = '0'.repeat(32);
const noSpanId = '0'.repeat(16);

/** Makes an encoder of log records into Native blocks for `INSERT INTO logs`. It numbers the lines, so that those of one stamp keep their order. A block is valid until the next one is encoded. */
export function createLogEncoder(): (records: readonly LogRecord[]) => Buffer {
  const block = new NativeBlock();
  let lines = 0;
  return (records) => {
    block.begin(logColumns.length, records.length);
    const out = block.column(ts);
    for (const record of records) out.bigI64(record.timeNs);
    block.column(line);
    for (const _ of records) {
      out.u32(lines);
      lines = (lines + 1) >>> 0;
    }
    block.lowCardinality(stream, records, (record) => record.stream);
    block.lowCardinality(severity, records, (record) => record.severity);
    block.strings(body, records, (record) => record.body);
    block.column(traceId);
    for (const record of records) out.hex(record.traceId || noTraceId);
    block.column(spanId);
    for (const record of records) out.hexU64(record.spanId || noSpanId);
    block.strings(requestId, records, (record) => record.requestId);
    block.map(attributes, records, (record, put) => {
      for (const key in record.attributes) put(key, record.attributes[key] ?? '');
    });
    writeResource(block, records, (record) => record.resource);
    return block.end();
  };
}
