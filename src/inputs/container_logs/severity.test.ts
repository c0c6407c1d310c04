import { describe, expect, it } from 'vitest';
import { severityOf } from './severity.ts';

describe('severity', () => {
  it.each([
    ['INFO starting', 'info'],
    ['[WARN] slow', 'warn'],
    ['error: it broke', 'error'],
    ['Error: it broke', 'error'],
    ['FATAL|x', 'fatal'],
    ['{"level":"warning","msg":"x"}', 'warn'],
    ['{"time":1,"severity":"ERROR"}', 'error'],
    ['{"level":30,"time":1,"msg":"error"}', 'info'],
    ['time="2026-01-01" level=debug msg="error"', 'debug'],
    ['E1121 10:15:00.123456       1 main.go:1] broke', 'error'],
    ['I1121 10:15:00.123456       1 main.go:1] fine', 'info'],
    ['2026-11-21T10:15:00.123456Z\tinfo\tads\tpush', 'info'],
    ['[2026-11-21 10:15:00.123][12][warning][config] x', 'warn'],
    ['2026-11-21 10:15:00,123 ERROR main x', 'error'],
    ['[2026-11-21T10:15:00.123Z] "GET /error HTTP/1.1" 500', ''],
    ['informative prose', ''],
    ['an error in the middle', ''],
    ['{"msg":"level"}', ''],
    ['', ''],
  ])('of %j is %j', (body, severity) => {
    expect(severityOf(body)).toBe(severity);
  });

  it('is found in time whatever the line', () => {
    // An expression that backtracks without bound would not end within the test's deadline.
    for (const unit of ['[', '2026-01-01', '"level":', 'a ', ' ', '[[((<<'])
      expect(severityOf(unit.repeat(20_000))).toBe('');
  });
});
