import { describe, expect, it } from 'vitest';
import { runSoak } from './soak.ts';

const seed = Number(process.env['TRAWL_SOAK_SEED'] ?? 20_261_121);

describe.skipIf(process.platform !== 'linux')('an agent under load whose surroundings fail', () => {
  it(`loses nothing and opens no more files in the short form of the soak (seed ${seed})`, async () => {
    const report = await runSoak({ seconds: 12, seed, faultEverySeconds: 3 });
    process.stdout.write(`${JSON.stringify({ soak: report })}\n`);
    expect(report.acknowledged).toBeGreaterThan(1_000);
    expect(Object.keys(report.faults).length).toBeGreaterThan(0);
    expect(report).toMatchObject({ lost: 0, storedTwice: 0, notForwarded: 0 });
    // Connections of senders, to the store and to the backend come and go.
    expect(report.agentFiles.last - report.agentFiles.first).toBeLessThan(20);
  }, 90_000);
});
