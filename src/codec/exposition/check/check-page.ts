/** What `trawl check metrics` says about a page: whether a scrape takes it, what only a strict reader refuses, and what is merely not as it should be. */
import { CodecError } from '../../codec-error.ts';
import type { ExpositionFormat } from '../exposition.ts';
import { createExpositionParser } from '../parser.ts';
import { createFamilyList } from './families.ts';
import { createFindings, type Finding } from './finding.ts';
import { lintFamily } from './lints.ts';
import { readLines } from './page-lines.ts';
import { createStrictRules } from './strict-rules.ts';

export interface PageCheck {
  /** In the order of the lines; of very many, the first thousand. */
  readonly findings: readonly Finding[];
  readonly errors: number;
  readonly warnings: number;
  /** Why a scrape of the page fails; undefined where it does not. */
  readonly scrapeError: string | undefined;
  readonly families: number;
  readonly series: number;
  readonly samples: number;
  readonly exemplars: number;
}

/** Checks a whole page. It throws nothing, whatever the page holds. */
export function checkPage(body: Buffer, format: ExpositionFormat): PageCheck {
  const findings = createFindings();
  const families = createFamilyList();
  const rules = format === 'openmetrics' ? createStrictRules(findings) : undefined;
  let samples = 0;
  let exemplars = 0;
  let scrapeError = refusalOf(() => createExpositionParser({ remember: () => true }).parse(body, format));
  const lineError = refusalOf(() => {
    for (const line of readLines(body, format)) {
      families.take(line);
      rules?.take(line);
      if (line.kind !== 'sample') continue;
      samples++;
      if (line.exemplar !== undefined) exemplars++;
    }
  });
  scrapeError ??= lineError;
  if (lineError === undefined) rules?.finish();
  if (scrapeError !== undefined) {
    const [, line = '1', text = scrapeError] = /^line (\d+): (.*)$/s.exec(scrapeError) ?? [];
    findings.error(Number(line), text);
  }
  for (const family of families.all()) lintFamily(family, format, findings);
  return {
    findings: [...findings.all].sort((a, b) => a.line - b.line),
    errors: findings.errors,
    warnings: findings.warnings,
    scrapeError,
    families: families.size,
    series: families.series,
    samples,
    exemplars,
  };
}

function refusalOf(work: () => void): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (error instanceof CodecError) return error.message;
    throw error;
  }
}
