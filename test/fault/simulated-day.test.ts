/**
 * A day in a time that the test turns: scrapes every 15 s, spans, logs that are rotated, reloads, an output's backend that is away, restarts
 * and kills of the store and of the agent, midnight, retention by age and by bytes. TRAWL_DAY_HOURS makes it longer, TRAWL_DAY_DENSE fuller.
 */
import { describe, expect, it } from 'vitest';
import { simulateDay } from './simulated-day.ts';

const hours = Number(process.env['TRAWL_DAY_HOURS'] ?? 24);
const isDense = process.env['TRAWL_DAY_DENSE'] === '1';

describe('an agent over a day', () => {
  it(
    `keeps its bounds at every minute of ${hours} hours, its counters add up, and nothing is lost or stored twice`,
    async () => {
      const report = await simulateDay({
        hours,
        spansEveryMinutes: isDense ? 1 : 30,
        segmentAgeMs: isDense ? 60_000 : 1_200_000,
      });
      process.stdout.write(`${JSON.stringify({ simulatedDay: report })}\n`);
      expect(report.broken).toEqual([]);
      expect(report.accepted.samples).toBeGreaterThan(hours * 240 * 6);
      expect(report.accepted.logs).toBeGreaterThan(hours * 60);
    },
    hours * 60_000,
  );
});
