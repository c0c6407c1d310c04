import { describe, expect, it } from 'vitest';
import { createLog, textLine } from './log.ts';

describe('the log as text', () => {
  it('says when, how bad, where, what and why, in one line', () => {
    const lines: string[] = [];
    const log = createLog({ level: 'info', format: 'text', isTerminal: false, write: (line) => lines.push(line) });
    log.child({ component: 'inputs.prom' }).warn({ err: new Error('refused'), url: 'http://a' }, 'No answer.');
    log.debug('not this one');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d WARN {2}inputs\.prom: No answer\. \(refused\) url=http:\/\/a$/);
  });

  it("lets a stranger's text move no cursor", () => {
    expect(textLine(JSON.stringify({ time: 0, level: 30, msg: 'a\u001b[2Jb\nc' }))).toBe(
      '00:00:00 info  a\ufffd[2Jb\ufffdc',
    );
  });
});
