import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createSimulatedDisk } from '../../../test/fault/simulated-disk.ts';
import { bench, directory, line, never, textsOf, waitingIn } from '../../../test/fault/spool-bench.ts';
import { realFileSystem } from '../file-system.ts';
import { positionsSection, type Section, type Segment } from './spool.ts';

describe('a spool', () => {
  it('gives back what it kept, in order, with all sections and counts', async () => {
    const spool = await bench(createSimulatedDisk()).open();
    const sections: Section[] = [
      { kind: 1, items: 2, bytes: Buffer.from('spans') },
      { kind: 4, items: 0, bytes: Buffer.alloc(0) },
      { kind: 200, items: 4_000_000_000, bytes: Buffer.from('body') },
    ];
    expect(await spool.append(sections, never)).toEqual({ kind: 'kept' });
    expect(await spool.append(line('second'), never)).toEqual({ kind: 'kept' });
    await spool.rotate();
    const segment = await spool.nextSegment(never);
    const records = [];
    for await (const record of segment.records()) records.push(record.sections);
    expect(records).toEqual([sections, line('second')]);
    expect(segment.id).toBe((7n << 32n) | BigInt(segment.number));
    await segment.release();
    expect(spool.stats()).toMatchObject({ segments: 0, bytes: 0, pendingBytes: 0 });
  });

  it('writes appends that come while a sync is running as one group', async () => {
    const disk = createSimulatedDisk();
    const spool = await bench(disk).open();
    let syncs = 0;
    disk.fault = ({ operation }) => {
      if (operation === 'syncData') syncs += 1;
      return undefined;
    };
    const results = await Promise.all(Array.from({ length: 100 }, (_, i) => spool.append(line(`${i}`), never)));
    expect(results.every((result) => result.kind === 'kept')).toBe(true);
    expect(syncs).toBeLessThanOrEqual(2);
    expect(await waitingIn(spool)).toEqual(Array.from({ length: 100 }, (_, i) => `${i}`));
  });

  it('closes the open segment for a sender that waits, once it is old enough, and never an empty one', async () => {
    const { open, clock } = bench(createSimulatedDisk());
    const spool = await open();
    let got: Segment | undefined;
    const waiting = spool.nextSegment(never).then((segment) => {
      got = segment;
    });
    clock.advance(5000);
    await spool.append(line('a'), never);
    clock.advance(999);
    await new Promise((resolve) => setImmediate(resolve));
    expect(got).toBeUndefined();
    clock.advance(1);
    await waiting;
    expect(got && (await textsOf(got))).toEqual(['a']);
  });

  it('begins a new segment when one has its size', async () => {
    const spool = await bench(createSimulatedDisk(), { limits: { maxBytes: 1 << 20, segmentBytes: 200 } }).open();
    for (let i = 0; i < 10; i++) await spool.append(line('x'.repeat(60)), never);
    expect(spool.stats().segments).toBeGreaterThanOrEqual(5);
    expect(await waitingIn(spool)).toHaveLength(10);
  });

  it('stops waiting for a segment when told to', async () => {
    const spool = await bench(createSimulatedDisk()).open();
    const stop = new AbortController();
    const waiting = spool.nextSegment(stop.signal);
    stop.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
  });

  it('says when all segments up to a number are gone', async () => {
    const spool = await bench(createSimulatedDisk()).open();
    await spool.append(line('a'), never);
    const number = await spool.rotate();
    let isGone = false;
    const gone = spool.released(number, never).then(() => {
      isGone = true;
    });
    const segment = await spool.nextSegment(never);
    expect(isGone).toBe(false);
    await segment.release();
    await gone;
    expect(await spool.rotate()).toBe(number);
  });

  it('does not write a record whose sender left before its turn', async () => {
    const spool = await bench(createSimulatedDisk()).open();
    const leaving = new AbortController();
    const results = [spool.append(line('a'), never), spool.append(line('b'), leaving.signal)];
    leaving.abort(new Error('gone'));
    expect((await Promise.all(results)).map((result) => result.kind)).toEqual(['kept', 'failed']);
    expect(await waitingIn(spool)).toEqual(['a']);
    expect(spool.stats().pendingBytes).toBe(0);
  });

  it('takes no more than its bound of waiting bytes, and no record larger than its limit', async () => {
    const limits = { maxBytes: 1 << 20, maxPendingBytes: 1000, maxRecordBytes: 700 };
    const spool = await bench(createSimulatedDisk(), { limits }).open();
    const results = await Promise.all([1, 2, 3].map(() => spool.append(line('x'.repeat(500)), never)));
    expect(results.map((result) => result.kind)).toEqual(['kept', 'full', 'full']);
    expect((await spool.append(line('x'.repeat(701)), never)).kind).toBe('too_large');
  });

  it('throws for a section kind that it keeps for itself', async () => {
    const spool = await bench(createSimulatedDisk()).open();
    for (const kind of [0, 254, 256, 1.5]) expect(() => spool.append(line('a', kind), never)).toThrow(RangeError);
  });

  it('takes nothing after it was closed, and closing keeps what waited', async () => {
    const { open } = bench(createSimulatedDisk());
    const spool = await open();
    const results = [spool.append(line('a'), never), spool.append(line('b'), never)];
    await spool.close();
    await spool.close();
    expect((await Promise.all(results)).map((result) => result.kind)).toEqual(['kept', 'kept']);
    expect((await spool.append(line('c'), never)).kind).toBe('failed');
    expect(await waitingIn(await open())).toEqual(['a', 'b']);
  });
});

describe('a full spool', () => {
  const limits = { maxBytes: 4000, segmentBytes: 500 };

  it('drops the oldest segment that nobody sends and counts what was in it', async () => {
    const { open, losses } = bench(createSimulatedDisk(), { limits });
    const spool = await open();
    await spool.append(line('first'), never);
    await spool.rotate();
    const held = await spool.nextSegment(never);
    let kept = 1;
    for (let i = 0; i < 100; i++) {
      if ((await spool.append(line(`${i}`.padEnd(100, 'x'), 3), never)).kind === 'kept') kept += 1;
      expect(spool.stats().bytes).toBeLessThanOrEqual(4000);
    }
    let dropped = 0;
    for (const loss of losses) dropped += loss.items.get(3) ?? 0;
    expect(losses.every((loss) => loss.reason === 'spool_full')).toBe(true);
    expect(dropped).toBeGreaterThan(50);
    expect(await textsOf(held)).toEqual(['first']);
    await held.release();
    expect((await waitingIn(spool)).length + 1).toBe(kept - dropped);
  });

  it('counts what was in a segment of an earlier run when it drops it', async () => {
    const { open, losses } = bench(createSimulatedDisk(), { limits, keepsPositions: false });
    const before = await open();
    for (let i = 0; i < 20; i++) await before.append(line(`${i}`.padEnd(100, 'x')), never);
    await before.close();
    const spool = await open();
    for (let i = 20; i < 100; i++) await spool.append(line(`${i}`.padEnd(100, 'x')), never);
    let dropped = 0;
    for (const loss of losses) dropped += loss.items.get(1) ?? 0;
    expect((await waitingIn(spool)).length + dropped).toBe(100);
  });

  it('refuses when it is told to refuse, and takes again when a segment was released', async () => {
    const { open, losses } = bench(createSimulatedDisk(), { limits, whenFull: 'refuse' });
    const spool = await open();
    let result = await spool.append(line('x'.repeat(400)), never);
    for (let i = 0; i < 20 && result.kind === 'kept'; i++) result = await spool.append(line('x'.repeat(400)), never);
    expect(result).toMatchObject({ kind: 'full', afterMs: 1000 });
    expect(losses).toEqual([]);
    const segment = await spool.nextSegment(never);
    await segment.release();
    expect((await spool.append(line('x'.repeat(400)), never)).kind).toBe('kept');
  });
});

describe('segment numbers', () => {
  it('go on after all segments were released and the spool was opened again', async () => {
    const disk = createSimulatedDisk();
    const { open } = bench(disk);
    const numbers = new Set<number>();
    for (let run = 0; run < 20; run++) {
      const spool = await open();
      for (let i = 0; i < run % 3; i++) {
        await spool.append(line(`${run}.${i}`), never);
        await spool.rotate();
        const segment = await spool.nextSegment(never);
        expect(numbers.has(segment.number)).toBe(false);
        numbers.add(segment.number);
        await segment.release();
      }
      if (run % 2 === 0) await spool.close();
      else disk.restart('lose');
    }
    expect((await disk.list(directory)).filter((name) => name.endsWith('.seg')).length).toBeLessThanOrEqual(2);
  });

  it('keep the number of the data directory that wrote them, also in a copy of it', async () => {
    const disk = createSimulatedDisk();
    const original = await bench(disk, { writer: 7 }).open();
    await original.append(line('a'), never);
    const number = await original.rotate();
    const copy = await bench(disk, { writer: 8 }).open();
    await copy.append(line('b'), never);
    await copy.rotate();
    const ids = [(await copy.nextSegment(never)).id, (await copy.nextSegment(never)).id];
    expect(ids).toEqual([(7n << 32n) | BigInt(number), (8n << 32n) | BigInt(number + 1)]);
  });

  it('go on in a directory that somebody emptied', async () => {
    const { open, clock } = bench(createSimulatedDisk());
    const first = await open();
    await first.append(line('a'), never);
    const number = await first.rotate();
    clock.advance(60_000);
    const other = bench(createSimulatedDisk());
    other.clock.advance(60_000);
    const second = await other.open();
    await second.append(line('b'), never);
    expect(await second.rotate()).toBeGreaterThan(number);
  });
});

describe('positions', () => {
  const withPosition = (text: string, key: string, value: string): Section[] => [
    ...line(text),
    positionsSection([{ key, value }]),
  ];

  it('are given back by prefix, survive the release of their segment, and are forgotten when empty', async () => {
    const disk = createSimulatedDisk();
    const { open } = bench(disk);
    const spool = await open();
    await spool.append(withPosition('a', 'logs:1', '10'), never);
    await spool.append(withPosition('b', 'logs:2', '20'), never);
    await spool.append(withPosition('c', 'logs:1', '30'), never);
    await spool.append(withPosition('d', 'else:1', 'x'), never);
    await spool.append(withPosition('e', 'logs:2', ''), never);
    await spool.rotate();
    const segment = await spool.nextSegment(never);
    expect(await textsOf(segment)).toEqual(['a', 'b', 'c', 'd', 'e']);
    await segment.release();
    disk.restart('lose');
    const again = await open();
    expect(again.positions('logs:')).toEqual([{ key: 'logs:1', value: '30' }]);
    expect(again.positions('')).toHaveLength(2);
  });

  it('are rebuilt from the segments when their file is empty, damaged, half written or from elsewhere', async () => {
    for (const bytes of ['', 'trawl-positions 1 00000000\n{}', 'trawl-pos', '\0'.repeat(100), '{"through":1}']) {
      const disk = createSimulatedDisk();
      const { open } = bench(disk);
      const spool = await open();
      await spool.append(withPosition('a', 'k', '1'), never);
      await spool.close();
      disk.put('/spool/positions.json', Buffer.from(bytes));
      expect((await open()).positions('')).toEqual([{ key: 'k', value: '1' }]);
    }
  });

  it('of a newer format are refused in one sentence', async () => {
    const disk = createSimulatedDisk();
    await disk.makeDirectory(directory);
    disk.put('/spool/positions.json', Buffer.from('trawl-positions 2 00000000\n{}'));
    await expect(bench(disk).open()).rejects.toThrow('has format 2, this program reads format 1');
  });
});

describe('on a real disk', () => {
  const made: string[] = [];
  afterEach(async () => {
    for (const path of made.splice(0)) await rm(path, { recursive: true, force: true });
  });

  it('keeps, gives back and releases 40 MB in segments with bounded memory', async () => {
    const path = await mkdtemp(join(tmpdir(), 'spool-'));
    made.push(path);
    const { open } = bench(realFileSystem, { directory: path, limits: { maxBytes: 1 << 30, segmentBytes: 4 << 20 } });
    const spool = await open();
    const body = Buffer.alloc(40_000, 'x');
    const appends = Array.from({ length: 1000 }, () => spool.append([{ kind: 1, items: 100, bytes: body }], never));
    expect((await Promise.all(appends)).every((result) => result.kind === 'kept')).toBe(true);
    await spool.rotate();
    let items = 0;
    while (spool.stats().segments > 0) {
      const segment = await spool.nextSegment(never);
      expect(segment.sizeBytes).toBeLessThanOrEqual((4 << 20) + 50_000);
      for await (const record of segment.records()) for (const section of record.sections) items += section.items;
      await segment.release();
    }
    expect(items).toBe(100_000);
    await spool.close();
  });
});
