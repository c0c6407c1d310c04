/** How far sources have been read, in memory, and its copy on disk for the time after the segments that carried it are gone. */
import { crc32 } from 'node:zlib';
import type { Position } from '../../model/batch.ts';
import { errorCode, type FileSystem, readRepeatedly, readSmallFile, replaceFile } from '../file-system.ts';
import { asPositions } from './format.ts';

export const positionsFileName = 'positions.json';
const maxFileBytes = 64 * 1024 * 1024;

/** The newest value of each key. */
export interface Positions {
  apply(positions: readonly Position[]): void;
  withPrefix(prefix: string): readonly Position[];
  readonly size: number;
}

/** Makes positions that hold `initial`; a position with the value '' takes its key away. */
export function createPositions(initial: readonly Position[]): Positions {
  const values = new Map<string, string>();
  const apply = (positions: readonly Position[]) => {
    for (const { key, value } of positions) {
      if (value === '') values.delete(key);
      else values.set(key, value);
    }
  };
  apply(initial);
  return {
    apply,
    withPrefix: (prefix) =>
      [...values].filter(([key]) => key.startsWith(prefix)).map(([key, value]) => ({ key, value })),
    get size() {
      return values.size;
    },
  };
}

/** What `positions.json` says: everything that the segments up to `through` carried is in it. */
export interface SavedPositions {
  readonly through: number;
  readonly positions: readonly Position[];
}

/** Writes the file; durable once it resolves. */
export async function savePositions(files: FileSystem, path: string, saved: SavedPositions): Promise<void> {
  const pairs = saved.positions.map(({ key, value }) => [key, value]);
  const text = `${JSON.stringify({ through: saved.through, positions: pairs })}\n`;
  const checksum = crc32(text).toString(16).padStart(8, '0');
  await replaceFile(files, path, Buffer.from(`trawl-positions 1 ${checksum}\n${text}`, 'utf8'));
}

/** Reads the file: `missing` when there is none, `damaged` when it is not what `savePositions` wrote. Throws for a format that is newer than this program. */
export async function loadPositions(files: FileSystem, path: string): Promise<SavedPositions | 'missing' | 'damaged'> {
  const info = await files.info(path);
  if (info === undefined) return 'missing';
  if (info.kind !== 'file' || info.sizeBytes > maxFileBytes) return 'damaged';
  let bytes: Buffer;
  try {
    bytes = (await readRepeatedly(() => readSmallFile(files, path, maxFileBytes))) ?? Buffer.alloc(0);
  } catch (error) {
    // The disk has lost it for good: the caller says so and rebuilds from the segments.
    if (errorCode(error) === 'EIO') return 'damaged';
    throw error;
  }
  const version = /^trawl-positions (\d+) /.exec(bytes.toString('latin1', 0, 40))?.[1];
  if (version !== undefined && version !== '1') {
    throw new Error(
      `${path} has format ${version}, this program reads format 1: run the version that wrote it, or move the file away`,
    );
  }
  return parsePositions(bytes.toString('utf8')) ?? 'damaged';
}

function parsePositions(contents: string): SavedPositions | undefined {
  const lineEnd = contents.indexOf('\n');
  const head = /^trawl-positions 1 ([0-9a-f]{8})$/.exec(contents.slice(0, lineEnd));
  const text = contents.slice(lineEnd + 1);
  if (lineEnd < 0 || head === null || Number.parseInt(head[1] ?? '', 16) !== crc32(text)) return undefined;
  const parsed: unknown = JSON.parse(text);
  if (typeof parsed !== 'object' || parsed === null || !('through' in parsed) || !('positions' in parsed))
    return undefined;
  const { through } = parsed;
  if (typeof through !== 'number' || !Number.isSafeInteger(through) || through < 0) return undefined;
  return { through, positions: asPositions(parsed.positions) };
}
