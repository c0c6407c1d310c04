/** Reads a segment's records one after another with a bounded window, stepping over what is damaged. Every step moves on: no damage makes it loop. */
import { type OpenFile, readFully } from '../file-system.ts';
import { decodeFrame, decodePayload, frameBytes, headerBytes, recordMarker, type Section } from './format.ts';

export interface SpoolRecord {
  /** The record's place in the segment's file: its name within the segment. */
  readonly positionBytes: number;
  readonly sections: readonly Section[];
}

/** Bytes that hold no readable record. `torn` ones end the segment, as a crash in the middle of a write leaves it; `corrupt` ones lie before its end. */
export interface Damage {
  readonly kind: 'torn' | 'corrupt';
  readonly positionBytes: number;
  readonly sizeBytes: number;
}

export interface ReadOptions {
  readonly file: OpenFile;
  /** How far the segment is valid; what lies beyond is not looked at. */
  readonly sizeBytes: number;
  readonly seed: number;
  onDamage(damage: Damage): void;
  readonly windowBytes?: number;
}

const defaultWindowBytes = 1024 * 1024;

/** Yields the verified records. Their bytes are views of a window that is never reused, so they may be kept. */
export async function* readRecords(options: ReadOptions): AsyncGenerator<SpoolRecord, void, undefined> {
  const { sizeBytes, seed, onDamage } = options;
  const window = createWindow(options);
  let at = headerBytes;
  while (at < sizeBytes) {
    const frame = decodeFrame(await window.bytes(at, frameBytes), 0, seed);
    if (frame === undefined || at + frameBytes + frame.payloadBytes > sizeBytes) {
      const next = await findRecord(window, options, at + 1);
      const end = next ?? sizeBytes;
      onDamage({ kind: next === undefined ? 'torn' : 'corrupt', positionBytes: at, sizeBytes: end - at });
      at = end;
      continue;
    }
    const length = frameBytes + frame.payloadBytes;
    const payload = (await window.bytes(at, length)).subarray(frameBytes, length);
    const sections = decodePayload(payload, frame, seed);
    if (sections === undefined) onDamage({ kind: 'corrupt', positionBytes: at, sizeBytes: length });
    else yield { positionBytes: at, sections };
    at += length;
  }
}

interface Window {
  /** At least `count` bytes from a position on, fewer only at the end of the segment. */
  bytes(positionBytes: number, count: number): Promise<Buffer>;
}

function createWindow({ file, sizeBytes, windowBytes = defaultWindowBytes }: ReadOptions): Window {
  let held: Buffer = Buffer.alloc(0);
  let start = 0;
  return {
    async bytes(positionBytes, count) {
      const wanted = Math.min(count, sizeBytes - positionBytes);
      const offset = positionBytes - start;
      if (offset >= 0 && offset + wanted <= held.byteLength) return held.subarray(offset);
      const fresh = Buffer.allocUnsafe(Math.min(Math.max(wanted, windowBytes), sizeBytes - positionBytes));
      const kept = offset >= 0 && offset < held.byteLength ? held.copy(fresh, 0, offset) : 0;
      const read = await readFully(file, fresh.subarray(kept), positionBytes + kept);
      held = fresh.subarray(0, kept + read);
      start = positionBytes;
      return held;
    },
  };
}

/** The place of the next record head whose checksum holds, from `from` on. */
async function findRecord(window: Window, options: ReadOptions, from: number): Promise<number | undefined> {
  const { sizeBytes, seed } = options;
  let at = from;
  while (at + frameBytes <= sizeBytes) {
    const bytes = await window.bytes(at, frameBytes);
    if (bytes.byteLength < frameBytes) return undefined;
    const found = bytes.indexOf(recordMarker);
    if (found < 0) {
      at += bytes.byteLength - (recordMarker.byteLength - 1);
      continue;
    }
    if (found + frameBytes > bytes.byteLength) {
      if (at + found + frameBytes > sizeBytes) return undefined;
      at += found > 0 ? found : 1;
      continue;
    }
    const frame = decodeFrame(bytes, found, seed);
    if (frame !== undefined && at + found + frameBytes + frame.payloadBytes <= sizeBytes) return at + found;
    at += found + 1;
  }
  return undefined;
}
