import { readFileSync } from 'node:fs';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { createMeter } from '../pipeline/meter.ts';
import { compareMetricNames, createHttpMetrics, registerProcessMetrics } from './self-metrics.ts';
import { startWatchdog } from './watchdog.ts';

const reference = readFileSync(new URL('../../docs/reference/metrics.md', import.meta.url), 'utf8');

describe('the reference of metrics', () => {
  it('has every name that this room and the meter expose, and of theirs no other', async () => {
    const { registry } = createMeter(new Registry(), Date.now);
    createHttpMetrics(registry, { connections: () => 0, requests: () => 0, bodyBytes: () => 0 });
    registerProcessMetrics(registry, 'x');
    const stop = startWatchdog({ registry, log: pino({ level: 'silent' }), stallMs: 2_000, describe: () => [] });
    const { undocumented, absent } = compareMetricNames(await registry.metrics(), reference);
    stop();
    expect(undocumented).toEqual([]);
    // test/docs/metrics.test.ts compares those of all other rooms, with an agent that runs.
    const ofThisRoom = /^(process|nodejs)_|^trawl_(http|build|event|received|kept|refused|dropped|errors)_/;
    // prom-client reads these from /proc.
    const ofLinux = process.platform === 'linux' ? /^$/ : /^process_(virtual|heap|open|max)/;
    expect(absent.filter((name) => ofThisRoom.test(name) && !ofLinux.test(name))).toEqual([]);
  });

  it('is compared in both directions', () => {
    const exposition = '# HELP a_total x\n# TYPE a_total counter\na_total 1\n# TYPE b gauge\nb 1\n';
    expect(compareMetricNames(exposition, '| `b` | gauge |\n| `c_seconds` | gauge |\n')).toEqual({
      undocumented: ['a_total'],
      absent: ['c_seconds'],
    });
  });
});

describe('the watchdog', () => {
  it('says that the loop stood still, for how long, and what was under way', async () => {
    const lines: Record<string, unknown>[] = [];
    const log = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) });
    const registry = new Registry();
    const stop = startWatchdog({ registry, log, stallMs: 150, describe: () => ['GET /api/v1/query'] });
    await new Promise((resolve) => setTimeout(resolve, 10));
    const untilMs = performance.now() + 400;
    while (performance.now() < untilMs);
    await expect.poll(() => lines.length).toBeGreaterThan(0);
    expect(lines[0]).toMatchObject({ level: 40, underWay: ['GET /api/v1/query'] });
    expect(lines[0]?.['stalledMs']).toBeGreaterThanOrEqual(150);
    expect(await registry.getSingleMetricAsString('trawl_event_loop_delay_seconds')).toContain('_count');
    stop();
    stop();
  });
});
