import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Outcome } from '../../src/model/batch.ts';
import { createFakeClock, until } from '../fixtures/fake-host.ts';
import { createRandom } from '../fixtures/random.ts';
import { appendLines, criLine, deletePod, gzipRotated, type LogWriter } from './rotate.ts';
import { eachTestTailsLogs, upTo } from './tailed-logs.ts';

const each = eachTestTailsLogs();

describe('container logs through rotation', () => {
  it('reads what is there and what comes', async () => {
    const { logs } = each;
    const writer = await logs.follow(10);
    writer.write(5);
    await logs.expectAll(15);
    expect(logs.kept[0]).toMatchObject({
      timeNs: BigInt(Date.UTC(2026, 0, 1)) * 1_000_000n + 1n,
      stream: 'stdout',
      body: 'line 1',
      resource: { service: 'ratings', namespace: 'bookinfo', pod: 'ratings-v1', container: 'ratings' },
    });
  });

  it('follows a file that is renamed, and reads its rest before the new one', async () => {
    const { logs } = each;
    const writer = await logs.follow(10);
    writer.write(5);
    writer.renameRotate();
    writer.write(5);
    await logs.expectAll(20);
  });

  it('resumes after the last kept line when it was killed', async () => {
    const { logs } = each;
    const writer = await logs.followAndStop(10);
    writer.write(10);
    await logs.start();
    await logs.expectAll(20);
  });

  it('reads all siblings oldest first when the log was rotated five times while stopped', async () => {
    const { logs } = each;
    const writer = await logs.followAndStop(10);
    for (let n = 0; n < 5; n++) {
      writer.write(7);
      writer.renameRotate();
    }
    writer.write(3);
    await logs.start();
    await logs.expectAll(48);
  });

  it('reads the rest of rotated files that were compressed while stopped', async () => {
    const { logs } = each;
    const writer = await logs.followAndStop(10);
    writer.write(5);
    const first = writer.renameRotate();
    writer.write(5);
    const second = writer.renameRotate();
    writer.write(5);
    gzipRotated(first);
    gzipRotated(second);
    await logs.start();
    await logs.expectAll(25);
    await logs.restart();
    writer.write(1);
    await logs.expectAll(26);
  });

  it('reads nothing twice when a file that was read is compressed', async () => {
    const { logs } = each;
    const writer = await logs.follow(10);
    const rotated = writer.renameRotate();
    writer.write(5);
    await logs.arrived(15);
    gzipRotated(rotated);
    await new Promise((resolve) => setTimeout(resolve, 300));
    writer.write(5);
    await logs.expectAll(20);
    await logs.restart();
    writer.write(5);
    await logs.expectAll(25);
  }, 20_000);

  it('begins again at 0 when a file was copied and emptied, and does not read the copy', async () => {
    const { logs } = each;
    const writer = await logs.follow(10);
    writer.copyTruncate();
    writer.write(3);
    await logs.expectAll(13);
    writer.copyTruncate();
    writer.write(200);
    await logs.expectAll(213);
    await logs.stop();
    writer.copyTruncate();
    writer.write(2);
    await logs.start();
    await logs.expectAll(215);
  });

  it('notices a file that was emptied and filled beyond the offset while stopped', async () => {
    const { logs } = each;
    const writer = await logs.followAndStop(10);
    writer.copyTruncate();
    writer.write(50);
    await logs.start();
    await logs.expectAll(60);
  });

  it('takes another file with the same inode for another file', async () => {
    const { logs } = each;
    const writer = await logs.followAndStop(10);
    writer.replace();
    writer.write(30);
    await logs.start();
    await logs.expectAll(40);
  });

  it('reads both of two files with the same first KiB', async () => {
    const { logs } = each;
    const same = criLine(1, `line 1 ${'x'.repeat(2000)}`);
    logs.open({ container: 'a' }).writeRaw(same + criLine(2, 'line 2'));
    logs.open({ container: 'b' }).writeRaw(same + criLine(3, 'line 3'));
    await logs.start();
    await logs.arrived(4);
    expect(logs.numbers().sort()).toEqual([1, 1, 2, 3]);
  });

  it('drains what is left of a deleted pod, then gives its descriptors back and forgets it', async () => {
    const { logs } = each;
    const openFds = () => readdirSync('/proc/self/fd').length;
    await logs.start();
    const base = openFds();
    const pods = Array.from({ length: 5 }, (_, n) => logs.open({ pod: `pod-${n}` }));
    for (const writer of pods) writer.write(10);
    await logs.arrived(50);
    for (const writer of pods) writer.write(10);
    for (const writer of pods) deletePod(writer);
    for (const writer of pods) writer.write(10);
    await logs.arrived(150);
    logs.closeWriters();
    await until('the files are given back', () => openFds() <= base && logs.host.keptPositions().size === 0, 5000);
    expect(logs.kept).toHaveLength(150);
    expect(logs.running.health().line).toContain('0 files open');
  });

  it('joins parts of both streams that interleave, across a restart and a rotation between them', async () => {
    const { logs } = each;
    const writer = logs.open();
    writer.write(2);
    writer.writeRaw(criLine(3, 'line 3', 'P'));
    writer.writeRaw(criLine(4, 'err 1', 'F', 'stderr'));
    writer.writeRaw(criLine(3, ' more', 'P'));
    writer.writeRaw(criLine(5, 'err 2', 'P', 'stderr'));
    await logs.start();
    await logs.arrived(3);
    await logs.stop();
    expect(logs.kept.map(({ body }) => body)).toEqual(['line 1', 'line 2', 'err 1']);
    writer.writeRaw(criLine(6, ' more', 'F', 'stderr'));
    writer.renameRotate();
    await logs.start();
    await logs.arrived(4);
    await logs.stop();
    writer.writeRaw(criLine(7, ' end', 'F'));
    await logs.start();
    await logs.settled(5);
    expect(logs.kept.slice(3).map(({ body, stream }) => `${stream}: ${body}`)).toEqual([
      'stderr: err 2 more',
      'stdout: line 3 more end',
    ]);
  });

  it('offers the same batch again while the intake says not now, loses nothing and reads no further', async () => {
    const { logs } = each;
    let refusals = 0;
    const writer = logs.open();
    writer.write(1000);
    await logs.start({}, () => {
      refusals++;
      return refusals <= 3 ? { kind: 'retry', afterMs: 20, cause: new Error('full') } : { kind: 'kept' };
    });
    writer.write(500);
    await logs.expectAll(1500);
    const sizes = logs.offered.slice(0, 4).map(({ items }) => items.length);
    expect(new Set(sizes).size).toBe(1);
    expect(logs.host.lost()).toBe(0);
  });

  it('goes on behind what the intake rejects for good', async () => {
    const { logs } = each;
    const writer = logs.open();
    writer.write(5);
    let first = true;
    await logs.start({}, (batch) => {
      if (!first) return { kind: 'kept' };
      first = false;
      return { kind: 'rejected', count: batch.items.length, cause: new Error('too old') };
    });
    await until('the first batch is rejected', () => logs.offered.length > 0);
    writer.write(5);
    await logs.arrived(5);
    expect(logs.numbers()).toEqual([6, 7, 8, 9, 10]);
  });

  it('cuts and counts a line that is too long, and one of 100 MB without a newline does not grow memory', async () => {
    const { logs } = each;
    const writer = logs.open();
    writer.write(1);
    writer.writeRaw(criLine(2, `line 2 ${'x'.repeat(300_000)}`));
    writer.write(1);
    await logs.start();
    await logs.arrived(3);
    expect(logs.kept[1]?.body).toHaveLength(256 * 1024);
    expect(logs.kept[1]?.attributes).toEqual({ truncated: 'true' });
    expect(logs.host.lost('line_too_long')).toBe(1);
    const before = process.memoryUsage();
    writer.writeRaw(criLine(9, 'line 9 ').slice(0, -1));
    const block = Buffer.alloc(1024 * 1024, 0x78);
    let peak = 0;
    for (let n = 0; n < 100; n++) {
      writer.writeRaw(block);
      if (n % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      peak = Math.max(peak, process.memoryUsage().arrayBuffers - before.arrayBuffers);
    }
    writer.writeRaw('\n');
    await logs.arrived(4);
    expect(peak).toBeLessThan(16 * 1024 * 1024);
    expect(logs.kept[3]?.body).toHaveLength(256 * 1024);
    writer.write(1);
    await logs.arrived(5);
  });

  it('replaces invalid UTF-8 and counts it, keeps carriage returns, and counts lines that are none', async () => {
    const { logs } = each;
    const writer = logs.open();
    writer.writeRaw(Buffer.concat([Buffer.from(criLine(1, 'line 1 ').slice(0, -1)), Buffer.from([0xff, 0xfe, 0x0a])]));
    writer.writeRaw('not a line of a runtime\n');
    writer.writeRaw(criLine(2, 'line 2\r'));
    // A character that the runtime cut in two.
    writer.writeRaw(Buffer.concat([Buffer.from(criLine(3, 'line 3 ', 'P').slice(0, -1)), Buffer.from([0xc3, 0x0a])]));
    writer.writeRaw(Buffer.concat([Buffer.from(criLine(3, '').slice(0, -1)), Buffer.from([0xa4, 0x0a])]));
    await logs.start();
    await logs.arrived(3);
    expect(logs.kept.map(({ body }) => body)).toEqual(['line 1 \ufffd\ufffd', 'line 2\r', 'line 3 ä']);
    expect(logs.host.lost('malformed')).toBe(1);
    expect(await logs.host.meter.registry.metrics()).toContain(
      'trawl_invalid_utf8_lines_total{component="inputs.container_logs"} 1',
    );
  });

  it('follows links within the directory and none that lead out of it', async () => {
    const { logs } = each;
    const writer = logs.open({ container: 'real' });
    writer.write(2);
    const pod = dirname(dirname(writer.path));
    const outside = mkdtempSync(join(tmpdir(), 'trawl-outside-'));
    appendLines(join(outside, 'secret'), 100, 101);
    mkdirSync(join(pod, 'linked'));
    symlinkSync(join(outside, 'secret'), join(pod, 'linked', '0.log'));
    symlinkSync('/nowhere', join(pod, 'linked', '1.log'));
    symlinkSync(join(pod, 'linked', '2.log'), join(pod, 'linked', '2.log'));
    symlinkSync(outside, join(logs.root, 'ns_escaped_1'));
    await logs.start();
    await logs.expectAll(2);
    expect(logs.host.meterCalls.some((call) => call.kind === 'failed' && call.why.includes('not below'))).toBe(true);
    rmSync(outside, { recursive: true });
  });

  it('reads more files than it may open at once', async () => {
    const { logs } = each;
    const pods = Array.from({ length: 12 }, (_, n) => logs.open({ pod: `pod-${n}` }));
    for (const writer of pods) writer.write(3);
    await logs.start({ max_open_files: 3 });
    await logs.arrived(36);
    for (const writer of pods) writer.write(2);
    await logs.arrived(60);
    expect(logs.kept).toHaveLength(60);
  });

  it('begins at the end of old files where it is told to, and misses nothing written while it was down', async () => {
    const { logs } = each;
    const writer = logs.open();
    writer.write(5);
    await logs.start({ start_at: 'end' });
    await until('the end is remembered', () => logs.host.keptPositions().size > 0);
    await logs.stop();
    writer.write(3);
    await logs.start({ start_at: 'end' });
    await logs.arrived(3);
    logs.open({ pod: 'new' }).write(1);
    await logs.arrived(4);
    expect(logs.numbers()).toEqual([6, 7, 8, 1]);
  });

  it('warns of a position that it cannot read and begins at the beginning', async () => {
    const { logs } = each;
    const writer = logs.open();
    writer.write(3);
    await logs.start();
    await logs.arrived(3);
    await logs.stop();
    logs.positions = new Map([...logs.positions].map(([key]) => [key, '{"nonsense":1}']));
    logs.kept = [];
    await logs.start();
    await logs.expectAll(3);
    expect(logs.host.logLines.some(({ msg }) => msg.includes('cannot be read'))).toBe(true);
  });

  it('loses nothing and doubles nothing through kills, rotations and refusals at random', async () => {
    const { logs } = each;
    const seed = Math.floor(Math.random() * 2 ** 32);
    const random = createRandom(seed);
    const pick = (count: number) => Math.floor(random() * count);
    const pods = [logs.open({ pod: 'a' }), logs.open({ pod: 'b' }), logs.open({ pod: 'c' })];
    const rotated = new Map<LogWriter, string[]>(pods.map((writer) => [writer, []]));
    const rotate = (writer: LogWriter) => {
      const plain = rotated.get(writer) ?? [];
      plain.push(writer.renameRotate());
      // As the kubelet does: all but the newest rotated file are compressed.
      while (plain.length > 1) gzipRotated(plain.shift() ?? '');
    };
    // What was compressed before the first run is read only where everything is.
    const config = { start_at: 'beginning' };
    const decide = (): Outcome =>
      random() < 0.3 ? { kind: 'retry', afterMs: pick(5), cause: new Error('not now') } : { kind: 'kept' };
    await logs.start(config, decide);
    for (let step = 0; step < 120; step++) {
      for (const writer of pods) {
        writer.write(pick(40));
        if (random() < 0.2) writer.writeParts(1 + pick(4));
        if (random() < 0.05) rotate(writer);
      }
      if (random() < 0.3) await new Promise((resolve) => setTimeout(resolve, pick(40)));
      if (random() < 0.1) {
        await logs.restart(config, decide);
      }
    }
    const total = pods.reduce((sum, { written }) => sum + written, 0);
    // What is missing is told by number below.
    await logs.arrived(total).catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 300));
    for (const [n, writer] of pods.entries()) {
      const pod = 'abc'[n];
      const own = logs.kept.filter(({ resource }) => resource.pod === pod);
      // A listing that is taken while a file is compressed may show neither name; its rest then comes later than it was written.
      const inOrder = logs.numbers(own).sort((x, y) => x - y);
      expect(inOrder, `seed ${seed}, pod ${pod}`).toEqual(upTo(writer.written));
    }
  }, 30_000);

  it('gives up a line whose end never comes after 30 s, once, and across a restart', async () => {
    const { logs } = each;
    const clock = createFakeClock();
    const writer = logs.open();
    writer.writeRaw(criLine(1, 'line 1', 'P', 'stderr'));
    writer.writeRaw(criLine(2, 'line 2'));
    await logs.start({}, undefined, clock);
    const pass = async (seconds: number, realMs = 2) => {
      for (let n = 0; n < seconds * 2; n++) {
        await clock.advance(500);
        await new Promise((resolve) => setTimeout(resolve, realMs));
      }
    };
    // The 30 s begin when the line is read, which a busy machine may do late: the clock waits for it.
    for (let n = 0; n < 1000 && logs.kept.length === 0; n++) await pass(0.5, 5);
    await pass(20);
    expect(logs.kept.map(({ body }) => body)).toEqual(['line 2']);
    for (let n = 0; n < 40 && logs.kept.length === 1; n++) await pass(0.5, 5);
    expect(logs.kept.map(({ body, attributes }) => `${body} ${attributes['truncated']}`)).toEqual([
      'line 2 undefined',
      'line 1 true',
    ]);
    await logs.stop();
    writer.writeRaw(criLine(3, 'line 3'));
    await logs.start();
    await logs.settled(3);
    expect(logs.numbers()).toEqual([2, 1, 3]);
  });

  it('counts a file that was rotated away before it was read', async () => {
    const { logs } = each;
    const writer = await logs.followAndStop(10);
    writer.write(10);
    rmSync(writer.renameRotate());
    writer.write(10);
    await logs.start();
    await logs.arrived(20);
    expect(logs.numbers()).toEqual([...upTo(10), ...upTo(30).slice(20)]);
    expect(logs.host.lost('rotated_away')).toBe(1);
  });

  it('waits for a directory that is not there yet', async () => {
    const { logs } = each;
    const aside = `${logs.root}-aside`;
    logs.open().write(3);
    renameSync(logs.root, aside);
    await logs.start();
    await new Promise((resolve) => setTimeout(resolve, 100));
    renameSync(aside, logs.root);
    await logs.expectAll(3);
    writeFileSync(join(logs.root, 'stray'), '');
  });
});
