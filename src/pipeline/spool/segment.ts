/** Reading a closed segment from its file. */
import type { FileSystem } from '../file-system.ts';
import { cutsKind, type Section } from './format.ts';
import { type Damage, readRecords, type SpoolRecord } from './segment-reader.ts';
import type { ClosedSegment } from './shelf.ts';

/** Yields a segment's records with a bounded window in memory. */
export async function* readSegment(
  files: FileSystem,
  segment: ClosedSegment,
  onDamage: (damage: Damage) => void,
): AsyncGenerator<SpoolRecord, void, undefined> {
  const file = await files.open(segment.path, 'read');
  try {
    yield* readRecords({ file, sizeBytes: segment.sizeBytes, seed: segment.seed, onDamage });
  } finally {
    await file.close();
  }
}

/** Reads a segment for what is said beside the items; answers the items of each kind. */
export async function scanSegment(
  files: FileSystem,
  segment: ClosedSegment,
  visit: (sections: readonly Section[]) => void,
): Promise<Map<number, number>> {
  const items = new Map<number, number>();
  const ignoreDamage = () => undefined; // It is counted when the segment is delivered.
  for await (const record of readSegment(files, segment, ignoreDamage)) {
    countItems(items, record.sections);
    visit(record.sections);
  }
  return items;
}

/** Adds a record's items to the counts. */
export function countItems(counts: Map<number, number>, sections: readonly Section[]): void {
  for (const { kind, items } of sections) {
    if (kind < cutsKind) counts.set(kind, (counts.get(kind) ?? 0) + items);
  }
}
