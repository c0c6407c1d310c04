/** Opens a spool, taking up what an earlier run left. */
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Position } from '../../model/batch.ts';
import { errorCode, type FileSystem, readRepeatedly } from '../file-system.ts';
import { DiskSpool } from './disk-spool.ts';
import { headerBytes, positionsOf } from './format.ts';
import { createPositions, loadPositions, positionsFileName, type SavedPositions } from './positions.ts';
import { type Found, type FoundSegment, findSegments } from './recovery.ts';
import { scanSegment } from './segment.ts';
import { type ClosedSegment, Shelf } from './shelf.ts';
import type { Spool, SpoolOptions } from './spool.ts';

/** Opens a spool and takes up what an earlier run left. New records always go to a new segment. Rejects when the directory cannot be used at all. */
export async function openSpool(options: SpoolOptions): Promise<Spool> {
  const { directory, fileSystem: files, log, keepsPositions } = options;
  const context = { files, directory, log };
  const saved = keepsPositions ? await openPositions(context) : { through: 0, positions: [] };
  const found = await findSegments(context);
  const positions = createPositions(saved.positions);
  const isEmpty = (segment: FoundSegment) => segment.sizeBytes <= headerBytes;
  const highest = Math.max(found.highest, saved.through);
  const shelf = new Shelf({
    ...context,
    positions,
    savedThrough: saved.through,
    newestOnDisk: found.segments.at(-1)?.number ?? 0,
    leftovers: found.segments.filter(isEmpty),
  });
  const spool = new DiskSpool(options, { shelf, positions, nextNumber: firstNumber(options, highest) });
  spool.quarantined(found.setAside.length);
  for (const segment of found.segments) {
    if (isEmpty(segment)) continue;
    const closed = closedOf(segment);
    // The newest is read even if the file covers it: a record that was refused may have come back with its position.
    if (keepsPositions && segment.number >= saved.through) {
      shelf.add(await scanPositions(context, closed, (records) => positions.apply(records)));
    } else shelf.add(closed);
  }
  for (const reason of found.setAside) {
    const why = `a segment was set aside: ${reason}`;
    options.onLoss({ reason: 'corrupt_record', segment: 0, sizeBytes: 0, items: new Map(), why });
  }
  report(options, found);
  return spool;
}

async function openPositions(context: { files: FileSystem; directory: string; log: Logger }): Promise<SavedPositions> {
  const path = join(context.directory, positionsFileName);
  const loaded = await loadPositions(context.files, path);
  if (typeof loaded !== 'string') return loaded;
  if (loaded === 'damaged') {
    context.log.error({ path }, 'the file of read positions is damaged; positions are rebuilt from the segments alone');
  }
  return { through: 0, positions: [] };
}

/**
 * A directory without any segment may be one that somebody emptied: it goes on from a number that an earlier spool cannot have reached
 * (seconds since 1970, as a segment lasts a second or so), for a number that came twice would be taken for a repetition.
 */
function firstNumber(options: SpoolOptions, highest: number): number {
  if (highest > 0) return highest + 1;
  const seconds = Math.floor(options.clock.nowMs() / 1000);
  return seconds > 0 && seconds < 0x7fffffff ? seconds : randomInt(1, 0x7fffffff);
}

function closedOf(segment: FoundSegment): ClosedSegment {
  return {
    number: segment.number,
    writer: segment.header.writer,
    seed: segment.header.seed,
    path: segment.path,
    sizeBytes: segment.sizeBytes,
    createdMs: segment.modifiedMs,
    isRecovered: true,
    items: undefined,
    hasPositions: false,
  };
}

async function scanPositions(
  context: { files: FileSystem; log: Logger },
  segment: ClosedSegment,
  apply: (positions: readonly Position[]) => void,
): Promise<ClosedSegment> {
  const found: Position[] = [];
  try {
    const items = await readRepeatedly(() => {
      found.length = 0;
      return scanSegment(context.files, segment, (sections) => found.push(...positionsOf(sections)));
    });
    apply(found);
    return { ...segment, items, hasPositions: found.length > 0 };
  } catch (error) {
    if (errorCode(error) !== 'EIO') throw error;
    context.log.error({ err: error, segment: segment.path }, 'a spool segment could not be read for its positions');
    return { ...segment, hasPositions: true };
  }
}

function report(options: SpoolOptions, found: Found): void {
  const waiting = found.segments.filter((segment) => segment.sizeBytes > headerBytes);
  if (waiting.length === 0) return;
  let sizeBytes = 0;
  for (const segment of waiting) sizeBytes += segment.sizeBytes;
  options.log.info(
    { directory: options.directory, segments: waiting.length, sizeBytes },
    'the spool holds data of an earlier run',
  );
}
