import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { LogSource } from '../../src/inputs/container_logs/log-source.ts';
import { until } from '../fixtures/fake-host.ts';
import { gzipRotated } from './rotate.ts';
import { type Decide, eachTestTailsLogs, upTo } from './tailed-logs.ts';

type Call = 'list' | 'open' | 'read' | 'readAt' | 'sizeBytes' | 'isUnlinked';

/** What the disk does to a call on a file; throws where it fails. */
let disturb: (call: Call, path: string, nth: number) => void;
let calls: Map<string, number>;

function count(call: Call, path: string): void {
  const key = `${call} ${path}`;
  const nth = (calls.get(key) ?? 0) + 1;
  calls.set(key, nth);
  disturb(call, path, nth);
}

vi.mock('../../src/inputs/container_logs/log-source.ts', async (original) => {
  const real = await original<typeof import('../../src/inputs/container_logs/log-source.ts')>();
  const disturbed = (path: string, source: LogSource): LogSource => ({
    readAt(buffer, offset) {
      count('readAt', path);
      return source.readAt(buffer, offset);
    },
    async read(buffer, offset) {
      // As a real read does, whether it fails or not.
      await nextTurn();
      count('read', path);
      return source.read(buffer, offset);
    },
    sizeBytes() {
      count('sizeBytes', path);
      return source.sizeBytes();
    },
    isUnlinked() {
      count('isUnlinked', path);
      return source.isUnlinked();
    },
    close: () => source.close(),
  });
  const openLogSource: typeof real.openLogSource = async (path, identity, options) => {
    count('open', path);
    const source = await real.openLogSource(path, identity, options);
    return source === undefined ? undefined : disturbed(path, source);
  };
  return { ...real, openLogSource };
});

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  return {
    ...real,
    lstat(path: string, options: object) {
      count('list', path);
      return real.lstat(path, options);
    },
  };
});

function failure(code: 'EIO' | 'ESTALE' | 'EMFILE'): never {
  throw Object.assign(new Error(`${code}: the disk failed`), { code });
}

beforeEach(() => {
  calls = new Map();
  disturb = () => undefined;
});
afterEach(() => {
  disturb = () => undefined;
});

const each = eachTestTailsLogs();
const callsOf = (call: Call, path: string) => calls.get(`${call} ${path}`) ?? 0;

describe('container logs on a disk that fails', () => {
  it('keeps the position of what it read before a read failed, so that a kill right after repeats no line', async () => {
    const { logs } = each;
    const writer = logs.open();
    // Three chunks of 256 KiB.
    writer.write(14_000);
    disturb = (call, path, nth) => {
      if (call === 'read' && path === writer.path && nth >= 2) failure('EIO');
    };
    await logs.start();
    await until('some lines have arrived', () => logs.kept.length > 0);
    await until('the second read has failed', () => callsOf('read', writer.path) >= 2);
    const first = logs.kept.length;
    expect(first).toBeLessThan(14_000);
    disturb = () => undefined;
    await logs.restart();
    await logs.expectAll(14_000);
  });

  it('keeps positions where looking back at what was read fails', async () => {
    const { logs } = each;
    const writer = logs.open();
    writer.write(10);
    disturb = (call, path) => {
      if (call === 'readAt' && path === writer.path) failure('EIO');
    };
    await logs.start();
    await logs.arrived(10);
    disturb = () => undefined;
    await logs.restart();
    writer.write(10);
    await logs.expectAll(20);
  });

  it('begins where it stopped though the file cannot be compared with its position at first', async () => {
    const { logs } = each;
    const writer = await logs.followAndStop(10);
    let failures = 0;
    disturb = (call) => {
      if (call === 'readAt' && ++failures <= 3) failure('EIO');
    };
    writer.write(10);
    await logs.start();
    await logs.expectAll(20);
    expect(failures).toBeGreaterThan(3);
  });

  it('keeps what it read of a rotated file when the newer one fails, and reads neither twice', async () => {
    const { logs } = each;
    const writer = await logs.follow(10);
    writer.write(5);
    const rotated = writer.renameRotate();
    writer.write(5);
    disturb = (call, path, nth) => {
      if (call === 'read' && path === writer.path && callsOf('open', path) > 1 && nth % 2 === 1) failure('ESTALE');
    };
    await logs.arrived(15);
    gzipRotated(rotated);
    await sleep(300);
    await logs.restart();
    disturb = () => undefined;
    writer.write(5);
    await logs.expectAll(25);
  });

  it('reads the other containers and answers for its health while one file fails at every call', async () => {
    const { logs } = each;
    const bad = logs.open({ pod: 'bad' });
    const good = logs.open({ pod: 'good' });
    bad.write(10);
    good.write(10);
    await logs.start();
    await logs.arrived(20);
    disturb = (call, path) => {
      if (path === bad.path) failure(call === 'read' ? 'ESTALE' : 'EIO');
    };
    bad.write(5);
    good.write(5);
    const ofPod = (pod: string) => logs.numbers(logs.kept.filter(({ resource }) => resource.pod === pod));
    await until('the good one goes on', () => ofPod('good').length === 15);
    logs.open({ pod: 'new' }).write(1);
    await until('a new one is found', () => ofPod('new').length === 1);
    await until('it says so', () => !logs.running.health().isHealthy);
    expect(logs.running.health().line).toContain('the disk failed');
    disturb = () => undefined;
    await until('the bad one goes on', () => ofPod('bad').length === 15);
    await until('it is well again', () => logs.running.health().isHealthy);
    expect(ofPod('bad')).toEqual(upTo(15));
  });

  it('tries a file that fails again at its next look, not in a loop', async () => {
    const { logs } = each;
    const writer = await logs.follow(10);
    disturb = (call, path) => {
      if (call === 'read' && path === writer.path) failure('EIO');
    };
    writer.write(1);
    await sleep(50);
    const before = callsOf('read', writer.path);
    await sleep(300);
    // A look each 10 ms.
    expect(callsOf('read', writer.path) - before).toBeLessThan(60);
    disturb = () => undefined;
    await logs.expectAll(11);
  });

  it('keeps a batch that is refused for good refused after a restart, with a rotation in between', async () => {
    const { logs } = each;
    const writer = logs.open();
    writer.write(10);
    const reject: Decide = (batch) => {
      const isFirst = batch.items.length > 0 && logs.numbers(logs.kept).length === 0 && logs.offered.length === 1;
      return isFirst ? { kind: 'rejected', count: batch.items.length, cause: new Error('too large') } : undefined;
    };
    await logs.start({}, reject);
    await until('the position is kept without the lines', () => logs.host.keptPositions().size > 0);
    await logs.stop();
    gzipRotated(writer.renameRotate());
    writer.write(5);
    await logs.start();
    await logs.settled(5);
    expect(logs.numbers()).toEqual([11, 12, 13, 14, 15]);
  });

  it('takes nothing for gone that cannot be looked at, and finds what is new elsewhere', async () => {
    const { logs } = each;
    const writer = await logs.follow(10);
    disturb = (call, path) => {
      if (call === 'list' && path === writer.path) failure('EIO');
    };
    logs.open({ pod: 'new' }).write(1);
    await logs.arrived(11);
    await sleep(250);
    await logs.stop();
    expect(logs.positions.size).toBe(2);
    await logs.start();
    await sleep(250);
    disturb = () => undefined;
    writer.write(5);
    await logs.settled(16);
    expect(logs.numbers()).toEqual([...upTo(10), 1, 11, 12, 13, 14, 15]);
  });

  it('waits for a compressed file that cannot be opened for want of descriptors', async () => {
    const { logs } = each;
    const writer = await logs.followAndStop(10);
    writer.write(5);
    const gzip = gzipRotated(writer.renameRotate());
    writer.write(5);
    disturb = (call, path, nth) => {
      if (call === 'open' && path === gzip && nth <= 3) failure('EMFILE');
    };
    await logs.start();
    await logs.expectAll(20);
    expect(logs.host.lost()).toBe(0);
  });

  it('keeps what it knows of a copy when the emptied file fails right after', async () => {
    const { logs } = each;
    const writer = await logs.follow(10);
    const copy = writer.copyTruncate();
    disturb = (call, path) => {
      if (call === 'open' && path === copy) failure('EIO');
    };
    await sleep(250);
    writer.write(3);
    await sleep(250);
    disturb = () => undefined;
    await logs.restart();
    await logs.expectAll(13);
  });
});
