/** SIGTERM at full load, TRAWL_STOPS times: a few here, fifty and more in `npm run test:long`. */
import { describe, expect, it } from 'vitest';
import { nothingWrong } from './agent-tools.ts';
import { runStopLoop } from './stop-loop.ts';

const stops = Number(process.env['TRAWL_STOPS'] ?? 4);
const seed = Number(process.env['TRAWL_STOPS_SEED'] ?? 20_261_121);

describe('an agent that is told to stop at full load', () => {
  it(
    `ends with 0 within 25 s each of ${stops} times, loses nothing it acknowledged, and refuses new connections (seed ${seed})`,
    async () => {
      const report = await runStopLoop({ stops, seed });
      process.stdout.write(`${JSON.stringify({ stopLoop: report })}\n`);
      expect(report.exits).toEqual({ 0: stops });
      expect(report.longestStopMs).toBeLessThan(25_000);
      // The kernel resets whoever waits to be accepted at the very moment a listener closes; nobody after that.
      expect(report.newConnections['ECONNRESET'] ?? 0).toBeLessThanOrEqual(stops);
      expect(report.newConnections['ECONNREFUSED']).toBeGreaterThan(0);
      // Too much at once is refused in words; nothing else is said no to.
      expect(Object.keys(report.answers).filter((status) => !['202', '429', '503'].includes(status))).toEqual([]);
      expect(report.spans).toMatchObject(nothingWrong);
    },
    (60 + stops * 60) * 1000,
  );
});
