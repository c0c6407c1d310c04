/** A line's severity, from what most programs write at its beginning. */

const names: Readonly<Record<string, string>> = {
  trace: 'trace',
  debug: 'debug',
  dbug: 'debug',
  info: 'info',
  information: 'info',
  notice: 'info',
  warn: 'warn',
  warning: 'warn',
  error: 'error',
  err: 'error',
  fatal: 'fatal',
  critical: 'fatal',
  crit: 'fatal',
  panic: 'fatal',
  emerg: 'fatal',
};

/** Bunyan's and pino's numbers. */
const numbers: Readonly<Record<string, string>> = {
  '10': 'trace',
  '20': 'debug',
  '30': 'info',
  '40': 'warn',
  '50': 'error',
  '60': 'fatal',
};

const klogLetters: Readonly<Record<string, string>> = { I: 'info', W: 'warn', E: 'error', F: 'fatal' };

/** Only the beginning of a line is looked at; what comes later is text. */
const maxLookedAt = 512;

const inJson = /"(?:level|severity|lvl|loglevel|log\.level)"\s*:\s*(?:"([A-Za-z]{3,11})"|(\d0)\b)/i;
const inLogfmt = /(?:^|\s)(?:level|severity|lvl)="?([A-Za-z]{3,11})\b/;
/** `E1121 10:15:00.000000`. */
const klog = /^([IWEF])\d{4} \d{2}:/;
/** A date and time or bracketed fields may come first: `2026-11-21T10:15:00.000Z\tinfo`, `[2026-11-21 10:15:00.000][12][warning]`. */
const leading =
  /^(?:[[(]?\d{4}[-/]\d{2}[-/]\d{2}[T ]?[\d:.,]*(?:Z|[+-]\d{2}:?\d{2})?[\])]?[\s|:-]*)?(?:\[\d+\])?[[(<]?([A-Za-z]{3,11})(?=[\])>:\s|,-]|$)/;

/** `trace` to `fatal`, or '' when the line does not say. */
export function severityOf(body: string): string {
  const start = body.length > maxLookedAt ? body.slice(0, maxLookedAt) : body;
  if (start.startsWith('{')) {
    const match = inJson.exec(start);
    return names[match?.[1]?.toLowerCase() ?? ''] ?? numbers[match?.[2] ?? ''] ?? '';
  }
  const letter = klog.exec(start)?.[1];
  if (letter !== undefined) return klogLetters[letter] ?? '';
  const word = leading.exec(start)?.[1];
  const named = word === undefined ? undefined : names[word.toLowerCase()];
  if (named !== undefined) return named;
  return names[inLogfmt.exec(start)?.[1]?.toLowerCase() ?? ''] ?? '';
}
