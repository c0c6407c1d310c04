/** The families of a page with what was said of each and which samples it has, for counting and for lints. */
import type { MetricMetadata, MetricType } from '../../../model/metric-metadata.ts';
import { findFamily } from '../family.ts';
import type { PageLine } from './page-lines.ts';

export interface CheckedFamily {
  readonly name: string;
  readonly type: MetricType;
  readonly hasType: boolean;
  readonly hasHelp: boolean;
  /** Its first line. */
  readonly line: number;
  /** The line at which it goes on after another family; undefined where it stands in one piece. */
  readonly resumedAt: number | undefined;
  readonly sampleNames: ReadonlySet<string>;
  readonly labelNames: ReadonlySet<string>;
}

export interface FamilyList {
  take(line: PageLine): void;
  all(): readonly CheckedFamily[];
  readonly size: number;
  /** How many different series there are. */
  readonly series: number;
}

interface Growing {
  readonly name: string;
  type: MetricType;
  hasType: boolean;
  hasHelp: boolean;
  line: number;
  resumedAt: number | undefined;
  readonly sampleNames: Set<string>;
  readonly labelNames: Set<string>;
}

/** Makes the list of one page. */
export function createFamilyList(): FamilyList {
  const families = new Map<string, Growing>();
  const metadata = new Map<string, MetricMetadata>();
  const series = new Set<string>();
  let current: Growing | undefined;

  const open = (name: string, line: number): Growing => {
    let family = families.get(name);
    if (family === undefined) {
      const sets = { sampleNames: new Set<string>(), labelNames: new Set<string>() };
      family = { name, type: 'unknown', hasType: false, hasHelp: false, line, resumedAt: undefined, ...sets };
      families.set(name, family);
    } else if (family !== current && family.sampleNames.size > 0) family.resumedAt ??= line;
    current = family;
    return family;
  };

  return {
    get size() {
      return families.size;
    },
    get series() {
      return series.size;
    },
    all: () => [...families.values()],
    take(line) {
      if (line.kind === 'sample') {
        const family = open(findFamily(line.name, metadata).family, line.line);
        family.sampleNames.add(line.name);
        for (const [name] of line.labels) family.labelNames.add(name);
        series.add(JSON.stringify([line.name, ...line.labels.filter(([, value]) => value !== '').sort()]));
        return;
      }
      const family = open(line.family, line.line);
      if (line.kind === 'help') family.hasHelp = true;
      if (line.kind !== 'type') return;
      family.type = line.type;
      family.hasType = true;
      metadata.set(line.family, { family: line.family, type: line.type, help: '', unit: '' });
    },
  };
}
