import { afterEach, describe, expect, it } from 'vitest';
import { type KillRange, type KillRangeOptions, startKillRange } from './insert-kill.ts';
import { runKillPlan } from './insert-kill-plan.ts';
import { rowsOfSegment } from './insert-kill-segments.ts';
import { whyNoStrace } from './insert-kill-strace.ts';

const seed = Number(process.env['TRAWL_INSERT_KILL_SEED'] ?? 20_261_121);
/** Kills at calls that change no table by themselves: a number, or `all` for the long form (about half an hour). */
const samples = process.env['TRAWL_INSERT_KILLS'] ?? '8';
const isTold = process.env['TRAWL_INSERT_KILL_REPORT'] !== undefined;

const missing = await whyNoStrace();
const note = missing === undefined ? '' : ` (left out: ${missing})`;

let range: KillRange | undefined;
const start = async (options?: KillRangeOptions): Promise<KillRange> => {
  range = await startKillRange(options);
  return range;
};
afterEach(async () => {
  await range?.stop();
  range = undefined;
});

describe.skipIf(missing !== undefined)(`a store that is killed in the middle of an INSERT${note}`, () => {
  it(
    `has every row once, unaltered, whatever call the kill forestalls (seed ${seed})`,
    async () => {
      const killRange = await start();
      const plan = { samples: samples === 'all' ? undefined : Number(samples), seed };
      const { outcomes, calls } = await runKillPlan(killRange, plan, (outcome) => {
        if (isTold) process.stdout.write(`${JSON.stringify(outcome)}\n`);
      });
      if (isTold) process.stdout.write(`${JSON.stringify(calls, undefined, 2)}\n`);
      const spoilt = outcomes.filter(({ verdict }) => verdict.lost + verdict.storedTwice + verdict.altered > 0);
      expect(spoilt).toEqual([]);
      const { segments, rows, rolledUp, counted } = await killRange.totals();
      for (const table of ['spans', 'series', 'samples', 'logs'] as const) {
        expect(rows[table], table).toBe(segments * rowsOfSegment[table]);
      }
      expect(rolledUp).toEqual(counted);
      // The kills did hit: two renames a table but series, and what was left was mended.
      expect(calls['rename']?.own ?? 0).toBeGreaterThanOrEqual(6);
      expect(outcomes.filter(({ statements }) => statements.includes('delete')).length).toBeGreaterThanOrEqual(6);
    },
    samples === 'all' ? 3_600_000 : 300_000,
  );

  it('would lose rows at the rename of a new part if the token were believed, which is why they are counted', async () => {
    const killRange = await start({ believesToken: true });
    const { kills, verdict } = await killRange.send([{ statement: 'insert', table: 'spans', call: 'rename', at: 1 }]);
    expect(kills[0]?.hit).toContain('tmp_insert');
    // The first of two days; the second day's token was not yet written down, so that its rows came with the second INSERT.
    expect(verdict).toEqual({ lost: rowsOfSegment.spans / 2, storedTwice: 0, altered: 0 });
  }, 60_000);
});
