import { describe, expect, it } from 'vitest';
import { encodeUiSpan, type UiSpan } from './ui-trace.ts';

const span: UiSpan = {
  traceID: 'a',
  spanID: 'b',
  operationName: '"name"',
  references: [{ refType: 'CHILD_OF', traceID: 'a', spanID: 'c' }],
  startTime: 5,
  duration: 7,
  tags: [{ key: 'k', type: 'string', value: '"logs":[' }],
  logs: [{ timestamp: 6, fields: [{ key: 'event', type: 'string', value: 'x' }] }],
  processID: 'p1',
  warnings: null,
};

describe('a span as Jaeger’s page reads it', () => {
  it('keeps every digit of a time that no double holds, and its fields in order', () => {
    const late = 9_007_199_254_740_993n;
    const text = encodeUiSpan({ ...span, startTime: late, logs: [...span.logs, { timestamp: late, fields: [] }] });
    expect(text).toBe(
      encodeUiSpan(span)
        .replace('"startTime":5', `"startTime":${late}`)
        .replace('}]}]', `}]},{"timestamp":${late},"fields":[]}]`),
    );
    expect(JSON.parse(text)).toMatchObject({ duration: 7, processID: 'p1', warnings: null });
  });
});
