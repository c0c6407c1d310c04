/** What a check says about a page. */

export interface Finding {
  /** From 1. */
  readonly line: number;
  /** `error`: a strict reader refuses the page. `warning`: it is taken, but is not as it should be. */
  readonly severity: 'error' | 'warning';
  readonly text: string;
}

/** Collects findings; a page with a fault in every line is not told of each. */
export interface Findings {
  error(line: number, text: string): void;
  warn(line: number, text: string): void;
  readonly all: readonly Finding[];
  readonly errors: number;
  readonly warnings: number;
}

const keptFindings = 1000;
const shownLength = 80;

export function createFindings(): Findings {
  const all: Finding[] = [];
  const counts = { error: 0, warning: 0 };
  const add = (finding: Finding) => {
    counts[finding.severity]++;
    if (all.length < keptFindings) all.push(finding);
  };
  return {
    error: (line, text) => add({ line, severity: 'error', text }),
    warn: (line, text) => add({ line, severity: 'warning', text }),
    all,
    get errors() {
      return counts.error;
    },
    get warnings() {
      return counts.warning;
    },
  };
}

/** A stranger's text in a finding: in quotes, escaped and short. */
export function shown(text: string): string {
  return JSON.stringify(text.length > shownLength ? `${text.slice(0, shownLength)}…` : text);
}
