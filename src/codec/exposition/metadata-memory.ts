/** What the HELP, TYPE and UNIT lines of a target's pages say, read again only where they changed. */
import type { MetricMetadata, MetricType } from '../../model/metric-metadata.ts';
import { type MetadataLine, readMetadataLine } from './metadata-line.ts';
import { type PageCursor, refuse } from './page-cursor.ts';
import type { NumberLabel } from './series-part.ts';

export type MetadataMap = ReadonlyMap<string, MetricMetadata>;

/** Reads the `#` lines of one page. */
export interface MetadataReader {
  /** Which label holds numbers below the last TYPE line; Prometheus goes by that, not by the name of the family. */
  readonly numberLabel: NumberLabel;
  /** Whether a TYPE line has named a family of this name so far. */
  typeOf(family: string): MetricType | undefined;
  /** Reads the line at the cursor. */
  read(page: PageCursor): void;
  /** The page is whole: what it says is what is known from here on. The same map while nothing has changed. */
  finish(page: PageCursor): MetadataMap;
}

export interface MetadataMemory {
  open(): MetadataReader;
  clear(): void;
}

interface Seen {
  /** Where the line begins, and where the next one. */
  readonly start: number;
  readonly end: number;
  readonly line: MetadataLine;
}

/**
 * Three lines for each of more families than are handed on. A page of nothing else would take a second of one turn of the event loop and
 * stay in memory ten times over.
 */
export const maxMetadataLines = 50_000;

const numberLabels: Partial<Record<MetricType, NumberLabel>> = { histogram: 'le', summary: 'quantile' };

/** Makes the memory of one target. */
export function createMetadataMemory(options: { readonly normalizesNumberLabels: boolean }): MetadataMemory {
  let known: readonly Seen[] = [];
  let knownPage: Buffer = Buffer.alloc(0);
  let map: Map<string, MetricMetadata> = new Map();

  const open = (): MetadataReader => {
    const seen: Seen[] = [];
    const types = new Map<string, MetricType>();
    let isSame = true;
    let numberLabel: NumberLabel = '';

    const take = (line: MetadataLine) => {
      if (line.kind !== 'type') return;
      types.set(line.family, line.type);
      if (options.normalizesNumberLabels) numberLabel = numberLabels[line.type] ?? '';
    };
    const readKnown = (page: PageCursor): boolean => {
      const next = known[seen.length];
      if (next === undefined) return false;
      const start = page.at;
      const end = start + next.end - next.start;
      if (end > page.bytes.length || knownPage.compare(page.bytes, start, end, next.start, next.end) !== 0)
        return false;
      seen.push({ start, end, line: next.line });
      page.at = end;
      take(next.line);
      return true;
    };

    return {
      get numberLabel() {
        return numberLabel;
      },
      typeOf: (family) => types.get(family),
      read(page) {
        if (seen.length >= maxMetadataLines)
          throw refuse(page, `the page has more than ${maxMetadataLines} lines of HELP, TYPE and UNIT`);
        if (isSame && readKnown(page)) return;
        const start = page.at;
        const line = readMetadataLine(page);
        if (line === undefined) return;
        isSame = false;
        seen.push({ start, end: page.at, line });
        take(line);
      },
      finish(page) {
        if (!isSame || seen.length !== known.length) map = toMap(seen);
        known = seen;
        knownPage = page.bytes;
        return map;
      },
    };
  };

  return {
    open,
    clear() {
      known = [];
      knownPage = Buffer.alloc(0);
      map = new Map();
    },
  };
}

function toMap(seen: readonly Seen[]): Map<string, MetricMetadata> {
  const map = new Map<string, MetricMetadata>();
  for (const { line } of seen) {
    const { family } = line;
    const entry = map.get(family) ?? { family, type: 'unknown', help: '', unit: '' };
    if (line.kind === 'type') map.set(family, { ...entry, type: line.type });
    else if (line.kind === 'help') map.set(family, { ...entry, help: line.help });
    else map.set(family, { ...entry, unit: line.unit });
  }
  return map;
}
