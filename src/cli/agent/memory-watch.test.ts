import { pino } from 'pino';
import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { createFakeClock } from '../../../test/fixtures/fake-host.ts';
import { mainConfig } from '../../config/main-config.ts';
import { createMeter } from '../../pipeline/meter.ts';
import { startMemoryWatch } from './memory-watch.ts';

describe('the memory watch of an agent', () => {
  it('shows in metrics, status and log that memory is short, for as long as it is', async () => {
    const clock = createFakeClock();
    const logged: string[] = [];
    const meter = createMeter(new Registry(), clock.nowMs);
    let usedBytes = 10;
    const watch = startMemoryWatch({
      config: mainConfig.parse({}),
      clock,
      log: pino({}, { write: (line: string) => void logged.push(JSON.parse(line).msg) }),
      meter,
      read: () => [{ name: 'heap', usedBytes: usedBytes * 1024 * 1024, limitBytes: 100 * 1024 * 1024 }],
    });
    const pressure = async () => /^trawl_memory_pressure (\d)$/m.exec(await meter.registry.metrics())?.[1];
    expect([await pressure(), watch.health()]).toEqual(['0', []]);
    usedBytes = 92;
    await clock.advance(500);
    expect(await pressure()).toBe('2');
    expect(watch.health()).toEqual([
      {
        component: 'memory',
        health: {
          isHealthy: false,
          line: 'the agent is short of memory: 92 of 100 MiB of heap in use; send later or less',
        },
      },
    ]);
    usedBytes = 10;
    await clock.advance(500);
    expect([await pressure(), watch.health()]).toEqual(['0', []]);
    expect(logged).toEqual([expect.stringContaining('short of memory'), expect.stringContaining('memory again')]);
    await watch.stop();
  });
});
