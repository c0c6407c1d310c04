import { describe, expect, it } from 'vitest';
import { runCrashLoop } from './crash-loop.ts';

const kills = Number(process.env['TRAWL_CRASH_KILLS'] ?? 50);
const seed = Number(process.env['TRAWL_CRASH_SEED'] ?? 20_261_121);

describe('an agent that is killed again and again under load', () => {
  it(
    `has everything it acknowledged once, unaltered, after ${kills} kills (seed ${seed})`,
    async () => {
      const { spans, pushed, lines, samples, rollups, kills: victims } = await runCrashLoop({ kills, seed });
      expect(victims.agent + victims.store + victims.both).toBe(kills);
      expect(spans.acknowledged).toBeGreaterThan(kills * 10);
      expect(spans).toMatchObject({ lost: 0, altered: 0, storedTwice: 0, invented: 0 });
      expect(pushed.acknowledged).toBeGreaterThan(kills * 10);
      expect(pushed).toMatchObject({ lost: 0, altered: 0, storedTwice: 0 });
      expect(lines).toMatchObject({ lost: 0, storedTwice: 0, disordered: 0 });
      // A scrape under way at a kill was kept or not; nobody was told that it was.
      expect(samples).toMatchObject({ altered: 0, storedTwice: 0 });
      expect(samples.lost).toBeLessThanOrEqual(victims.agent + victims.both + 1);
      expect(rollups.requests).toBe(rollups.spans);
    },
    kills * 10_000 + 60_000,
  );
});
