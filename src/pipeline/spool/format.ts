/** The bytes of a segment, pure: `docs/reference/spool-format.md` has the diagrams. All numbers are little-endian. */
import { crc32 } from 'node:zlib';
import type { Position } from '../../model/batch.ts';

/** A part of a record. What a kind means is the destination's business, except for `positionsKind` and `cutsKind`. */
export interface Section {
  /** 1 to 253; 254 is `cutsKind`, 255 is `positionsKind`. */
  readonly kind: number;
  /** How many spans, samples or lines the bytes hold, for counting what is delivered or lost. */
  readonly items: number;
  readonly bytes: Uint8Array;
}

/** The kind of the section that says how far sources have been read; written with `positionsSection`. */
export const positionsKind = 255;

/** The kind of the section that says where earlier segments end. It is alone in the first record of its segment. */
export const cutsKind = 254;

export const formatVersion = 1;
export const headerBytes = 32;
export const frameBytes = 16;
/** No record is longer, whatever a damaged length field says. */
export const maxFormatRecordBytes = 256 * 1024 * 1024;

const magic = Buffer.from('trawlseg', 'latin1');
/** Begins every record: where a record's head is damaged, the next one is found by it. */
export const recordMarker = Buffer.from([0xc7, 0x1a, 0x5e, 0x9d]);
const maxSections = 0xffff;
const sectionEntryBytes = 9;

export interface SegmentHeader {
  readonly version: number;
  readonly segment: number;
  /** The number of the data directory that wrote it. */
  readonly writer: number;
  /** What every checksum in the segment begins with, so that no other segment's bytes and no stranger's payload pass for a record of this one. */
  readonly seed: number;
}

/** The first bytes of a segment. `salt` are 8 random bytes. */
export function encodeHeader(options: { segment: number; writer: number; salt: Uint8Array }): Buffer {
  const bytes = Buffer.alloc(headerBytes);
  magic.copy(bytes, 0);
  bytes.writeUInt32LE(formatVersion, 8);
  bytes.writeUInt32LE(options.segment, 12);
  bytes.writeUInt32LE(options.writer, 16);
  bytes.set(options.salt.subarray(0, 8), 20);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 28)), 28);
  return bytes;
}

/** Undefined when the bytes are no header. A version that this program does not know is answered, not judged: its first 32 bytes are these in every version. */
export function decodeHeader(bytes: Buffer): SegmentHeader | undefined {
  if (bytes.byteLength < headerBytes || !bytes.subarray(0, 8).equals(magic)) return undefined;
  const seed = bytes.readUInt32LE(28);
  if (crc32(bytes.subarray(0, 28)) !== seed) return undefined;
  return {
    version: bytes.readUInt32LE(8),
    segment: bytes.readUInt32LE(12),
    writer: bytes.readUInt32LE(16),
    seed,
  };
}

/** The bytes that a record of these sections takes in a segment. */
export function recordBytes(sections: readonly Section[]): number {
  let total = frameBytes + 2 + sectionEntryBytes * sections.length;
  for (const section of sections) total += section.bytes.byteLength;
  return total;
}

/** A record as buffers to write one after another; the sections' bytes are not copied. */
export function encodeRecord(sections: readonly Section[], seed: number): Uint8Array[] {
  if (sections.length > maxSections) throw new RangeError(`a record has ${sections.length} sections, at most 65535`);
  const head = Buffer.allocUnsafe(frameBytes + 2 + sectionEntryBytes * sections.length);
  head.writeUInt16LE(sections.length, frameBytes);
  let at = frameBytes + 2;
  for (const section of sections) {
    head.writeUInt8(section.kind, at);
    head.writeUInt32LE(section.items, at + 1);
    head.writeUInt32LE(section.bytes.byteLength, at + 5);
    at += sectionEntryBytes;
  }
  let payloadCrc = crc32(head.subarray(frameBytes), seed);
  for (const section of sections) payloadCrc = crc32(section.bytes, payloadCrc);
  recordMarker.copy(head, 0);
  head.writeUInt32LE(recordBytes(sections) - frameBytes, 4);
  head.writeUInt32LE(payloadCrc, 8);
  head.writeUInt32LE(crc32(head.subarray(0, 12), seed), 12);
  return [head, ...sections.map((section) => section.bytes)];
}

export interface Frame {
  readonly payloadBytes: number;
  readonly payloadCrc: number;
}

/** The head of a record at `at`, or undefined when what stands there is none. Only a head whose own checksum holds has a length worth trusting. */
export function decodeFrame(bytes: Buffer, at: number, seed: number): Frame | undefined {
  if (bytes.byteLength < at + frameBytes) return undefined;
  if (bytes.compare(recordMarker, 0, 4, at, at + 4) !== 0) return undefined;
  if (crc32(bytes.subarray(at, at + 12), seed) !== bytes.readUInt32LE(at + 12)) return undefined;
  const payloadBytes = bytes.readUInt32LE(at + 4);
  if (payloadBytes > maxFormatRecordBytes) return undefined;
  return { payloadBytes, payloadCrc: bytes.readUInt32LE(at + 8) };
}

/** The sections of a payload whose checksum holds; undefined when it does not, or the section table contradicts the payload's length. The bytes are views. */
export function decodePayload(payload: Buffer, frame: Frame, seed: number): Section[] | undefined {
  if (crc32(payload, seed) !== frame.payloadCrc || payload.byteLength < 2) return undefined;
  const count = payload.readUInt16LE(0);
  let at = 2;
  let start = 2 + count * sectionEntryBytes;
  if (start > payload.byteLength) return undefined;
  const sections: Section[] = [];
  for (let i = 0; i < count; i++, at += sectionEntryBytes) {
    const end = start + payload.readUInt32LE(at + 5);
    if (end > payload.byteLength) return undefined;
    sections.push({
      kind: payload.readUInt8(at),
      items: payload.readUInt32LE(at + 1),
      bytes: payload.subarray(start, end),
    });
    start = end;
  }
  return start === payload.byteLength ? sections : undefined;
}

/** Where a segment ends that has unacknowledged bytes behind its records, which the disk could not be made to forget. */
export interface Cut {
  readonly segment: number;
  readonly sizeBytes: number;
}

/** The section that says where earlier segments end. */
export function cutsSection(cuts: readonly Cut[]): Section {
  const text = JSON.stringify(cuts.map((cut) => [cut.segment, cut.sizeBytes]));
  return { kind: cutsKind, items: 0, bytes: Buffer.from(text, 'utf8') };
}

/** The cuts in a segment's first record. */
export function cutsOf(sections: readonly Section[]): Cut[] {
  const [section] = sections;
  if (section?.kind !== cutsKind) return [];
  const cuts: Cut[] = [];
  for (const pair of parsedList(Buffer.from(section.bytes).toString('utf8'))) {
    if (!Array.isArray(pair)) continue;
    const [segment, sizeBytes]: unknown[] = pair;
    if (typeof segment === 'number' && typeof sizeBytes === 'number') cuts.push({ segment, sizeBytes });
  }
  return cuts;
}

/** The section that keeps positions in the same record as the lines they belong to. */
export function positionsSection(positions: readonly Position[]): Section {
  const text = JSON.stringify(positions.map((position) => [position.key, position.value]));
  return { kind: positionsKind, items: 0, bytes: Buffer.from(text, 'utf8') };
}

/** The positions among a record's sections, in order. A section whose text is not ours is ignored: its lines are then read once more. */
export function positionsOf(sections: readonly Section[]): Position[] {
  const positions: Position[] = [];
  for (const section of sections) {
    if (section.kind !== positionsKind) continue;
    positions.push(...asPositions(parsedList(Buffer.from(section.bytes).toString('utf8'))));
  }
  return positions;
}

function parsedList(text: string): unknown[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    // The checksum held, so this was written so; nothing can be made of it.
    return [];
  }
  return Array.isArray(parsed) ? parsed : [];
}

/** Reads `[[key, value], …]`; whatever is no pair of strings is left out. */
export function asPositions(parsed: unknown): Position[] {
  if (!Array.isArray(parsed)) return [];
  const positions: Position[] = [];
  for (const pair of parsed) {
    if (!Array.isArray(pair)) continue;
    const [key, value]: unknown[] = pair;
    if (typeof key === 'string' && typeof value === 'string') positions.push({ key, value });
  }
  return positions;
}
