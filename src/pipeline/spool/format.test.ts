import { describe, expect, it } from 'vitest';
import { createSimulatedDisk } from '../../../test/fault/simulated-disk.ts';
import {
  cutsOf,
  cutsSection,
  decodeFrame,
  decodeHeader,
  decodePayload,
  encodeHeader,
  encodeRecord,
  frameBytes,
  headerBytes,
  positionsOf,
  positionsSection,
  type Section,
} from './format.ts';
import { readRecords } from './segment-reader.ts';

const salt = Buffer.from('0102030405060708', 'hex');
const sections: Section[] = [{ kind: 1, items: 2, bytes: Buffer.from('ab') }];

/** A segment as format 1 writes it. It never changes: data directories of this format are on people's disks. */
const golden = [
  '747261776c736567', // magic "trawlseg"
  '01000000', // version 1
  '2a000000', // segment 42
  '07000000', // writer 7
  '0102030405060708', // salt
].join('');

describe('the format of a segment', () => {
  it('is what version 1 has always written', () => {
    const header = encodeHeader({ segment: 42, writer: 7, salt });
    expect(header.toString('hex').slice(0, 56)).toBe(golden);
    const decoded = decodeHeader(header);
    expect(decoded).toMatchObject({ version: 1, segment: 42, writer: 7 });
    const record = Buffer.concat(encodeRecord(sections, decoded?.seed ?? 0));
    expect(Buffer.concat([header, record]).toString('hex')).toMatchInlineSnapshot(
      `"747261776c736567010000002a0000000700000001020304050607085549fcd2c71a5e9d0d000000bfc859e46a3b5d3b01000102000000020000006162"`,
    );
  });

  it('gives back positions and cuts, and ignores what is neither', () => {
    const positions = [
      { key: 'ключ', value: '"12"' },
      { key: '', value: '' },
    ];
    expect(positionsOf([...sections, positionsSection(positions)])).toEqual(positions);
    expect(positionsOf([{ kind: 255, items: 0, bytes: Buffer.from('[["a"],3,["b","c"]]') }])).toEqual([
      { key: 'b', value: 'c' },
    ]);
    expect(positionsOf([{ kind: 255, items: 0, bytes: Buffer.from('{') }])).toEqual([]);
    expect(cutsOf([cutsSection([{ segment: 3, sizeBytes: 77 }])])).toEqual([{ segment: 3, sizeBytes: 77 }]);
    expect(cutsOf(sections)).toEqual([]);
  });

  it('takes no record of another segment, and none whose table contradicts its length, for its own', () => {
    const [a, b] = [1, 2].map((segment) => decodeHeader(encodeHeader({ segment, writer: 1, salt }))?.seed ?? 0);
    const record = Buffer.concat(encodeRecord(sections, a ?? 0));
    const frame = decodeFrame(record, 0, a ?? 0);
    if (frame === undefined) throw new Error('its own record was not found');
    expect(decodeFrame(record, 0, b ?? 0)).toBeUndefined();
    expect(decodePayload(record.subarray(frameBytes), frame, a ?? 0)).toEqual(sections);
    expect(decodePayload(record.subarray(frameBytes), frame, b ?? 0)).toBeUndefined();
  });

  it('finds records behind damage whatever the window, also when markers lie across its edge', async () => {
    const header = encodeHeader({ segment: 1, writer: 1, salt });
    const seed = decodeHeader(header)?.seed ?? 0;
    const text = (i: number) => `record ${i}`;
    const records = Array.from({ length: 20 }, (_, i) =>
      Buffer.concat(encodeRecord([{ kind: 1, items: 1, bytes: Buffer.from(text(i)) }], seed)),
    );
    const broken = records.map((record, i) => (i % 2 === 0 ? record : record.fill(0xc7, 0, 9)));
    const bytes = Buffer.concat([header, ...broken]);
    const disk = createSimulatedDisk();
    await disk.makeDirectory('/d');
    disk.put('/d/f', bytes);
    for (let windowBytes = 1; windowBytes < 200; windowBytes += 3) {
      const found: string[] = [];
      const damaged: number[] = [];
      const options = { file: await disk.open('/d/f', 'read'), sizeBytes: bytes.length, seed, windowBytes };
      const onDamage = (damage: { positionBytes: number }) => damaged.push(damage.positionBytes);
      for await (const record of readRecords({ ...options, onDamage })) {
        found.push(Buffer.from(record.sections[0]?.bytes ?? []).toString());
      }
      expect(found).toEqual(Array.from({ length: 10 }, (_, i) => text(2 * i)));
      expect(damaged).toHaveLength(10);
      expect(damaged[0]).toBe(headerBytes + (records[0]?.length ?? 0));
    }
  });
});
