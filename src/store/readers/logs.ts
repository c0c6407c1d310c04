/** Log lines of a selector in a window, from the table `logs`. */
import type { StoreClient } from '../client.ts';
import { checkConditionCount, type LabelMatcher, matcherCondition } from './label-matcher.ts';
import { defaultReadLimits, limitSettings, type ReadLimits } from './limits.ts';
import { readRowBinary } from './row-binary.ts';
import { windowCondition } from './window.ts';

export interface LogLine {
  /** Nanoseconds since 1970. */
  readonly timeNs: bigint;
  readonly body: string;
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly service: string;
  readonly stream: string;
}

export interface LogSelection {
  /** On the names of `logColumns`; of a line any other name is ''. */
  readonly matchers: readonly LabelMatcher[];
  /** Texts that the line must hold, each of them. */
  readonly contains: readonly string[];
  /** Inclusive. */
  readonly startNs: bigint;
  /** Exclusive. */
  readonly endNs: bigint;
  /** Backward takes the newest lines, forward the oldest. */
  readonly direction: 'forward' | 'backward';
  readonly limit: number;
}

export interface LogReadOptions {
  readonly signal: AbortSignal;
  readonly limits?: ReadLimits;
}

/** The columns that matchers can ask for, by the names that matchers have for them. */
const logColumns: ReadonlyMap<string, string> = new Map([
  ['namespace', 'namespace'],
  ['pod', 'pod'],
  ['container', 'container'],
  ['service', 'service'],
  ['service_name', 'service'],
  ['stream', 'stream'],
]);

/** A LIKE pattern for "holds the text", because the index over the words of lines serves LIKE. */
const likePattern = (text: string): string => `%${text.replace(/[\\%_]/g, '\\$&')}%`;

/** Reads at most `limit` lines in the direction's order; those of one stamp in the order in which they arrived, backward reversed. */
export async function readLogs(
  client: StoreClient,
  selection: LogSelection,
  options: LogReadOptions,
): Promise<LogLine[]> {
  const limits = options.limits ?? defaultReadLimits;
  const condition = matcherCondition(selection.matchers, (name) => logColumns.get(name));
  // Bounds are whole nanoseconds, so start inclusive and end exclusive is the window moved by one.
  const window = windowCondition({ unit: 'Nano', after: selection.startNs - 1n, until: selection.endNs - 1n });
  const texts = selection.contains.filter((text) => text !== '');
  checkConditionCount(texts.length);
  const filters = texts.map((_, i) => ` AND body LIKE {contains${i}:String}`).join('');
  const order = selection.direction === 'forward' ? 'ts, seg, line' : 'ts DESC, seg DESC, line DESC';
  const bytes = await client.bytes({
    sql: `SELECT ts, body, namespace, pod, container, service, stream FROM logs
WHERE ${window.sql} AND ${condition.sql}${filters}
ORDER BY ${order} LIMIT {limit:UInt32}`,
    parameters: {
      ...condition.parameters,
      ...Object.fromEntries(texts.map((text, i) => [`contains${i}`, likePattern(text)])),
      ...window.parameters,
      limit: selection.limit,
    },
    format: 'RowBinary',
    signal: options.signal,
    timeoutMs: limits.timeoutMs,
    settings: limitSettings(limits),
  });
  const row = readRowBinary(bytes);
  const lines: LogLine[] = [];
  while (!row.isAtEnd()) {
    lines.push({
      timeNs: row.i64(),
      body: row.string(),
      namespace: row.string(),
      pod: row.string(),
      container: row.string(),
      service: row.string(),
      stream: row.string(),
    });
  }
  return lines;
}
