/** What a spool's directory holds when it is opened. Nothing found here stops the start, but for a segment of a format that is newer than this program. */
import { join } from 'node:path';
import type { Logger } from 'pino';
import { errorCode, type FileSystem, readFully, readRepeatedly } from '../file-system.ts';
import {
  type Cut,
  cutsOf,
  decodeFrame,
  decodeHeader,
  decodePayload,
  formatVersion,
  frameBytes,
  headerBytes,
  type SegmentHeader,
} from './format.ts';

export const quarantineName = 'quarantine';
/** Quarantined files beyond these are removed, oldest first. */
const maxQuarantined = 16;
const segmentName = /^(\d{1,10})\.seg$/;
/** Enough for a record of `maxCuts` cuts. */
const cutsReadBytes = 4096;
export const maxCuts = 100;
export const maxSegmentNumber = 0xffffffff;

export interface FoundSegment {
  readonly number: number;
  readonly path: string;
  readonly header: SegmentHeader;
  readonly sizeBytes: number;
  readonly modifiedMs: number;
}

export interface Found {
  /** Oldest first; a segment without records among them is left over from a release. */
  readonly segments: readonly FoundSegment[];
  /** No number up to this one may be used again. */
  readonly highest: number;
  /** How many were put into quarantine, and why. */
  readonly setAside: readonly string[];
}

export interface RecoveryContext {
  readonly files: FileSystem;
  readonly directory: string;
  readonly log: Logger;
}

/** The file name of a segment. */
export function segmentFileName(number: number): string {
  return `${number}.seg`;
}

/** Looks at the heads of all segments, and puts aside what is none. */
export async function findSegments(context: RecoveryContext): Promise<Found> {
  const { files, directory } = context;
  await files.makeDirectory(directory);
  const segments: FoundSegment[] = [];
  const setAside: string[] = [];
  let highest = await highestQuarantined(context);
  for (const name of await files.list(directory)) {
    if (name.endsWith('.tmp')) {
      await removeLeftover(context, join(directory, name));
      continue;
    }
    const number = segmentNumberOf(name);
    if (number === undefined) continue;
    highest = Math.max(highest, number);
    const found = await inspect(context, number);
    if (typeof found !== 'string') segments.push(found);
    else {
      setAside.push(found);
      await quarantine(context, number, found);
    }
  }
  segments.sort((a, b) => a.number - b.number);
  return { segments: shortened(segments, await allCuts(files, segments)), highest, setAside };
}

/** A segment's first record may say where earlier ones end. It is small: one read finds it. */
async function allCuts(files: FileSystem, segments: readonly FoundSegment[]): Promise<readonly Cut[]> {
  const cuts: Cut[] = [];
  for (const { path, header, sizeBytes } of segments) {
    if (sizeBytes <= headerBytes) continue;
    const start = await readRepeatedly(() => readStart(files, path));
    const frame = decodeFrame(start, headerBytes, header.seed);
    if (frame === undefined) continue;
    const payload = start.subarray(headerBytes + frameBytes, headerBytes + frameBytes + frame.payloadBytes);
    cuts.push(...cutsOf(decodePayload(payload, frame, header.seed) ?? []));
  }
  return cuts;
}

async function readStart(files: FileSystem, path: string): Promise<Buffer> {
  const file = await files.open(path, 'read');
  try {
    const bytes = Buffer.alloc(cutsReadBytes);
    return bytes.subarray(0, await readFully(file, bytes, 0));
  } finally {
    await file.close();
  }
}

function shortened(segments: readonly FoundSegment[], cuts: readonly Cut[]): FoundSegment[] {
  return segments.map((segment) => {
    let { sizeBytes } = segment;
    for (const cut of cuts) if (cut.segment === segment.number) sizeBytes = Math.min(sizeBytes, cut.sizeBytes);
    return sizeBytes === segment.sizeBytes ? segment : { ...segment, sizeBytes };
  });
}

function segmentNumberOf(name: string): number | undefined {
  const match = segmentName.exec(name);
  if (match === null) return undefined;
  const number = Number(match[1]);
  return number <= maxSegmentNumber && segmentFileName(number) === name ? number : undefined;
}

/** The segment, or why it is none. */
async function inspect(context: RecoveryContext, number: number): Promise<FoundSegment | string> {
  const { files, directory } = context;
  const path = join(directory, segmentFileName(number));
  let header: SegmentHeader | undefined;
  let info: Awaited<ReturnType<FileSystem['info']>>;
  try {
    info = await files.info(path);
    if (info === undefined) return 'it is gone';
    if (info.kind !== 'file') return `it is no file but a ${info.kind === 'directory' ? 'directory' : 'special file'}`;
    if (info.sizeBytes === 0) return 'it is empty';
    header = await readRepeatedly(() => readHeader(files, path));
  } catch (error) {
    // Too many open files, no permission: that says nothing about the segment, which must not go for it.
    if (errorCode(error) !== 'EIO') throw error;
    return `it cannot be read: ${error instanceof Error ? error.message : String(error)}`;
  }
  if (header === undefined) return 'it does not begin with a segment header';
  if (header.version !== formatVersion) {
    throw new Error(
      `${path} has spool format ${header.version}, this program reads format ${formatVersion}: run the version that wrote it, or move the file away`,
    );
  }
  if (header.segment !== number) return `its header says that it is segment ${header.segment}`;
  return { number, path, header, sizeBytes: info.sizeBytes, modifiedMs: info.modifiedMs };
}

async function readHeader(files: FileSystem, path: string): Promise<SegmentHeader | undefined> {
  const file = await files.open(path, 'read');
  try {
    const bytes = Buffer.alloc(headerBytes);
    return decodeHeader(bytes.subarray(0, await readFully(file, bytes, 0)));
  } finally {
    await file.close();
  }
}

async function removeLeftover({ files, log }: RecoveryContext, path: string): Promise<void> {
  try {
    await files.unlink(path);
  } catch (error) {
    log.warn({ err: error, path }, 'a temporary file of an earlier run could not be removed');
  }
}

async function quarantinedNames({ files, directory }: RecoveryContext): Promise<readonly string[]> {
  const path = join(directory, quarantineName);
  const info = await files.info(path);
  return info?.kind === 'directory' ? files.list(path) : [];
}

async function highestQuarantined(context: RecoveryContext): Promise<number> {
  let highest = 0;
  for (const name of await quarantinedNames(context)) {
    const number = Number(/^(\d{1,10})\.seg/.exec(name)?.[1] ?? 0);
    if (number <= maxSegmentNumber) highest = Math.max(highest, number);
  }
  return highest;
}

/** Moves a segment's file to `quarantine/`, where nothing reads it any more; keeps the newest 16. A failure is logged: the file then stays and is not used. */
export async function quarantine(context: RecoveryContext, number: number, why: string): Promise<void> {
  const { files, directory, log } = context;
  const from = join(directory, segmentFileName(number));
  const aside = join(directory, quarantineName);
  try {
    await files.makeDirectory(aside);
    await makeRoom(context, aside);
    const taken = new Set(await files.list(aside));
    let name = segmentFileName(number);
    for (let i = 1; taken.has(name); i++) name = `${segmentFileName(number)}.${i}`;
    await files.rename(from, join(aside, name));
    await files.syncDirectory(aside);
    await files.syncDirectory(directory);
    log.error({ segment: from, to: join(aside, name) }, `a spool segment was put into quarantine: ${why}`);
  } catch (error) {
    log.error({ err: error, segment: from }, `a spool segment cannot be used and could not be moved aside: ${why}`);
  }
}

async function makeRoom(context: RecoveryContext, aside: string): Promise<void> {
  const byAge = [...(await quarantinedNames(context))].sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
  for (const name of byAge.slice(0, Math.max(0, byAge.length - maxQuarantined + 1))) {
    const info = await context.files.info(join(aside, name));
    if (info?.kind === 'file') await context.files.unlink(join(aside, name));
  }
}
