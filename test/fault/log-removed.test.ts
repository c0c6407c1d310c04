/** A container that writes to its end and is removed: what was read of its log is not lost. */
import { appendFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { containerLogsInput } from '../../src/inputs/container_logs/index.ts';
import type { Running } from '../../src/pipeline/component.ts';
import { createFakeClock, createFakeHost, createFakeIntake, type FakeIntake, until } from '../fixtures/fake-host.ts';

const clock = createFakeClock();
const host = createFakeHost({ clock, name: 'inputs.container_logs' });
let root: string;
let running: Running;
let intake: FakeIntake;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'trawl-removed-'));
  intake = createFakeIntake(host);
});
afterEach(async () => {
  await running.stop(AbortSignal.timeout(5_000));
  host.close();
  await rm(root, { recursive: true, force: true });
});

const keptLines = () => intake.kept.reduce((sum, { items }) => sum + items.length, 0);

describe('a log that is removed with its container', () => {
  it('counts nothing as lost when its last lines were written and read after the last scan', async () => {
    const directory = join(root, 'default_shop-1_uid', 'shop');
    const file = join(directory, '0.log');
    const line = (n: number) => `2026-01-01T00:00:00.00000000${n}Z stdout F line ${n}\n`;
    await mkdir(directory, { recursive: true });
    await appendFile(file, line(1));
    const config = containerLogsInput.config.parse({ path: root, scan_interval: '60s', poll_interval: '1s' });
    running = await containerLogsInput.start(config, host, intake.accept);
    const readAll = (count: number) =>
      until(`${count} lines are read`, async () => {
        await clock.advance(10);
        return keptLines() === count;
      });
    await readAll(1);
    await appendFile(file, line(2) + line(3));
    await readAll(3);
    await rm(join(root, 'default_shop-1_uid'), { recursive: true });
    await until('the file is let go of', async () => {
      await clock.advance(1_000);
      return host.keptPositions().size === 0;
    });
    expect(host.meterCalls.filter(({ kind }) => kind === 'dropped')).toEqual([]);
    expect(keptLines()).toBe(3);
  });
});
