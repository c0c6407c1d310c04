import { describe, expect, it } from 'vitest';
import { createSimulatedDisk, type SimulatedDisk } from '../../../test/fault/simulated-disk.ts';
import { bench, directory, line, never, segmentPath, waitingIn } from '../../../test/fault/spool-bench.ts';
import { createRandom } from '../../../test/fixtures/random.ts';

describe('damage', () => {
  async function kept(count: number): Promise<{ disk: SimulatedDisk; path: string; bytes: Buffer; texts: string[] }> {
    const disk = createSimulatedDisk();
    const spool = await bench(disk).open();
    const texts = Array.from({ length: count }, (_, i) => `record ${i} `.padEnd(20 + ((i * 7) % 40), '.'));
    for (const text of texts) await spool.append(line(text), never);
    const path = await segmentPath(spool);
    return { disk, path, bytes: Buffer.from(disk.contents(path)), texts };
  }

  it('of a last record cut at any byte costs that record only, and is counted', async () => {
    const { disk, path, bytes, texts } = await kept(5);
    const lastBytes = 16 + 2 + 9 + (texts.at(-1)?.length ?? 0);
    for (let cut = 1; cut <= lastBytes; cut++) {
      disk.put(path, bytes.subarray(0, bytes.length - cut));
      const { open, losses } = bench(disk);
      const spool = await open();
      expect(await waitingIn(spool)).toEqual(texts.slice(0, -1));
      expect(spool.stats().tornBytes).toBe(lastBytes - cut);
      expect(losses).toEqual([]);
    }
  });

  it('of one bit, for 1,000 bits, costs at most the record it lies in', async () => {
    const { disk, path, bytes, texts } = await kept(40);
    const random = createRandom(4);
    for (let round = 0; round < 1000; round++) {
      const damaged = Buffer.from(bytes);
      const bit = 32 * 8 + Math.floor(random() * (bytes.length - 32) * 8);
      damaged.writeUInt8(damaged.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      disk.put(path, damaged);
      const spool = await bench(disk).open();
      const found = await waitingIn(spool);
      expect(found).toHaveLength(texts.length - 1);
      expect(found.every((text) => texts.includes(text))).toBe(true);
      const { tornBytes, corruptBytes } = spool.stats();
      expect(tornBytes + corruptBytes).toBeGreaterThan(0);
    }
  });

  it('of a length field does not make it allocate that length', async () => {
    const { disk, path, bytes, texts } = await kept(5);
    const damaged = Buffer.from(bytes);
    damaged.writeUInt32LE(0xffffffff, 32 + 4);
    disk.put(path, damaged);
    const before = process.memoryUsage().arrayBuffers;
    expect(await waitingIn(await bench(disk).open())).toEqual(texts.slice(1));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(5_000_000);
  });

  it('of whole segments puts them into quarantine and starts', async () => {
    const { disk, path, bytes, texts } = await kept(5);
    const number = Number(/(\d+)\.seg/.exec(path)?.[1]);
    const random = createRandom(5);
    const noise = Buffer.from(Array.from({ length: 5000 }, () => Math.floor(random() * 256)));
    disk.put(`/spool/${number + 1}.seg`, Buffer.alloc(70_000));
    disk.put(`/spool/${number + 2}.seg`, noise);
    disk.put(`/spool/${number + 3}.seg`, Buffer.alloc(0));
    disk.put(`/spool/${number + 4}.seg`, bytes);
    disk.put(`/spool/${number + 5}.seg`, bytes.subarray(0, 20));
    disk.put('/spool/notes.txt', Buffer.from('not ours'));
    const spool = await bench(disk).open();
    expect(spool.stats().quarantinedSegments).toBe(5);
    expect(await waitingIn(spool)).toEqual(texts);
    expect(await disk.list('/spool/quarantine')).toHaveLength(5);
    await spool.append(line('new'), never);
    expect(await spool.rotate()).toBe(number + 6);
    expect((await bench(disk).open()).stats().quarantinedSegments).toBe(0);
  });

  it('fills quarantine to 16 files at most', async () => {
    const disk = createSimulatedDisk();
    await disk.makeDirectory(directory);
    for (let i = 1; i <= 40; i++) disk.put(`/spool/${i}.seg`, Buffer.from('noise'));
    await bench(disk).open();
    expect(await disk.list('/spool/quarantine')).toHaveLength(16);
  });

  it('is not seen in a segment of a newer format: the spool says that it cannot read it', async () => {
    const { disk, path, bytes } = await kept(1);
    const { crc32 } = await import('node:zlib');
    const newer = Buffer.from(bytes);
    newer.writeUInt32LE(2, 8);
    newer.writeUInt32LE(crc32(newer.subarray(0, 28)), 28);
    disk.put(path, newer);
    await expect(bench(disk).open()).rejects.toThrow('has spool format 2, this program reads format 1');
  });

  it('that a sender meets puts the segment aside and counts its items as lost', async () => {
    const { open, losses } = bench(createSimulatedDisk());
    const spool = await open();
    await spool.append(line('a'), never);
    await spool.rotate();
    const segment = await spool.nextSegment(never);
    await segment.setAside('the store refuses it');
    expect(losses).toMatchObject([{ reason: 'corrupt_record', why: 'the store refuses it' }]);
    expect(losses[0]?.items.get(1)).toBe(1);
    expect(spool.stats()).toMatchObject({ segments: 0, bytes: 0, quarantinedSegments: 1 });
  });

  it('of a record that this run wrote is counted in items, once, however often it is read', async () => {
    const disk = createSimulatedDisk();
    const { open, losses } = bench(disk);
    const spool = await open();
    await spool.append(line('a'), never);
    await spool.append([{ kind: 2, items: 50, bytes: Buffer.from('b') }], never);
    const path = await segmentPath(spool);
    const bytes = Buffer.from(disk.contents(path));
    bytes.writeUInt8(0x21, bytes.length - 1);
    disk.put(path, bytes);
    expect(await waitingIn(spool)).toEqual(['a']);
    expect(await waitingIn(spool)).toEqual(['a']);
    expect(losses.map((loss) => [...loss.items])).toEqual([
      [
        [1, 0],
        [2, 50],
      ],
    ]);
  });
});

describe('a failing disk', () => {
  it('rolls a short write back or completes it, at each offset', async () => {
    const recordBytes = 16 + 2 + 9 + 'the record that is written short'.length;
    for (let offset = 0; offset < recordBytes; offset++) {
      for (const then of ['ENOSPC', 'goes on'] as const) {
        const disk = createSimulatedDisk();
        const { open, clock } = bench(disk);
        const spool = await open();
        await spool.append(line('before'), never);
        let isShort = false;
        disk.fault = ({ operation }) => {
          if (operation !== 'write') return undefined;
          if (isShort) return then === 'ENOSPC' ? { kind: 'fail', code: 'ENOSPC' } : undefined;
          isShort = true;
          return offset === 0 ? { kind: 'fail', code: 'ENOSPC' } : { kind: 'short', bytes: offset };
        };
        const { kind } = await spool.append(line('the record that is written short'), never);
        disk.fault = () => undefined;
        clock.advance(1000);
        expect(await spool.append(line('after'), never)).toEqual({ kind: 'kept' });
        const isKept = then === 'goes on' && offset > 0;
        expect(kind).toBe(isKept ? 'kept' : 'disk_full');
        disk.restart('lose');
        const expected = isKept ? ['before', 'the record that is written short', 'after'] : ['before', 'after'];
        expect(await waitingIn(await open())).toEqual(expected);
      }
    }
  });

  it('never syncs a file again whose sync failed, and refuses the group', async () => {
    const disk = createSimulatedDisk();
    const { open, clock } = bench(disk);
    const spool = await open();
    await spool.append(line('before'), never);
    const synced: string[] = [];
    let isFirst = true;
    disk.fault = ({ operation, path }) => {
      if (operation !== 'syncData') return undefined;
      synced.push(path);
      if (!isFirst) return undefined;
      isFirst = false;
      return { kind: 'fail', code: 'EIO' };
    };
    const results = await Promise.all(['x', 'y'].map((text) => spool.append(line(text), never)));
    expect(results.map((result) => result.kind)).toEqual(['failed', 'failed']);
    expect(spool.stats().lastFailure).toContain('EIO');
    clock.advance(1000);
    expect((await spool.append(line('after'), never)).kind).toBe('kept');
    expect(spool.stats().lastFailure).toBeUndefined();
    expect(new Set(synced.filter((path) => path.endsWith('.seg'))).size).toBe(
      synced.filter((path) => path.endsWith('.seg')).length,
    );
    expect(await waitingIn(spool)).toEqual(['before', 'after']);
  });

  it('that cannot remove a segment lets the release be tried again', async () => {
    const disk = createSimulatedDisk();
    const spool = await bench(disk).open();
    await spool.append(line('a'), never);
    await spool.rotate();
    const segment = await spool.nextSegment(never);
    disk.fault = () => ({ kind: 'fail', code: 'EIO' });
    await expect(segment.release()).rejects.toThrow('EIO');
    disk.fault = () => undefined;
    await segment.release();
    expect(spool.stats().segments).toBe(0);
  });
});
