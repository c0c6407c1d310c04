/** `trawl check metrics`: what a scrape, a strict reader and a colleague would say about a page of metrics. */
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { checkPage, type PageCheck } from '../codec/exposition/check/check-page.ts';
import type { Finding } from '../codec/exposition/check/finding.ts';
import type { ExpositionFormat } from '../codec/exposition/exposition.ts';
import { checkJsonLine } from './check-json-lines.ts';
import { fetchCheckedPage, readPageFile } from './check-source.ts';
import { ApiError, type Arguments, type Command, type Terminal, UsageError } from './command.ts';
import { type Screen, screenOf } from './screen.ts';
import { counted } from './waterfall.ts';

const shownFindings = 100;
const usualTimeoutS = 10;
const formatNames: Readonly<Record<ExpositionFormat, string>> = {
  text: 'Prometheus text 0.0.4',
  openmetrics: 'OpenMetrics 1.0',
};

export const checkMetrics: Command = {
  name: 'check metrics',
  summary: 'Checks a page of metrics as strictly as its format is defined; exits 1 if it is refused.',
  positionals: ['[FILE|URL|-]'],
  options: {
    format: {
      type: 'string',
      value: 'FORMAT',
      description: 'text or openmetrics, where the page itself does not tell.',
    },
    header: {
      type: 'string',
      multiple: true,
      value: 'NAME:VALUE',
      description: 'A header to ask a URL with; may be given again.',
    },
    timeout: {
      type: 'string',
      value: 'SECONDS',
      description: `How long a URL may take (default ${usualTimeoutS}).`,
    },
    all: { type: 'boolean', description: `Prints every finding (otherwise the first ${shownFindings}).` },
    'json-lines': {
      type: 'boolean',
      description:
        'Reads {"id","contentType","bodyBase64"} a line, answers {"id","ok","error"|"series","metadata"} a line.',
    },
  },
  example: 'trawl check metrics http://127.0.0.1:9100/metrics',
  async run(args, terminal) {
    const source = args.positionals[0] ?? '-';
    if (args.isSet('json-lines')) {
      if (source !== '-') throw new UsageError(`--json-lines reads standard input, not ${source}`);
      return await answerJsonLines(terminal);
    }
    const screen = screenOf(terminal);
    try {
      const page = await openSource(source, args, terminal);
      const format = formatOf(args) ?? page.format ?? guessFormat(page.body);
      const check = checkPage(page.body, format);
      const name = source === '-' ? 'standard input' : source;
      const answer = page.answer === undefined ? '' : ` (${page.answer})`;
      terminal.out(screen.show(`${name}: ${formatNames[format]}${answer}: ${contentsOf(check)}`));
      printFindings(check, args, { terminal, screen });
      terminal.out(screen.own(verdictOf(check, format)));
      return check.errors === 0 ? 0 : 1;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      terminal.error(screen.show(`${source === '-' ? 'standard input' : source}: ${error.message}`));
      return 1;
    }
  },
};

async function openSource(source: string, args: Arguments, terminal: Terminal) {
  if (!/^https?:\/\//i.test(source)) return await readPageFile(source, terminal);
  if (!URL.canParse(source)) throw new UsageError(`${JSON.stringify(source)} is no URL`);
  const timeoutS = Number(args.text('timeout') ?? usualTimeoutS);
  if (!(timeoutS > 0 && timeoutS <= 600)) throw new UsageError('--timeout takes a number of seconds, at most 600');
  const headers: Record<string, string> = {};
  for (const header of args.texts('header')) {
    const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):\s*([^\r\n]*)$/.exec(header) ?? [];
    if (name === undefined || value === undefined) throw new UsageError('--header takes NAME:VALUE');
    headers[name.toLowerCase()] = value;
  }
  return await fetchCheckedPage(source, { headers, timeoutMs: timeoutS * 1000 });
}

function formatOf(args: Arguments): ExpositionFormat | undefined {
  const format = args.text('format');
  if (format === undefined || format === 'text' || format === 'openmetrics') return format;
  throw new UsageError(`--format ${JSON.stringify(format)} is neither text nor openmetrics`);
}

/** A file has no Content-Type, but only OpenMetrics ends so. */
function guessFormat(body: Buffer): ExpositionFormat {
  const end = body.toString('latin1', Math.max(0, body.length - 16)).trimEnd();
  return end === '# EOF' || end.endsWith('\n# EOF') ? 'openmetrics' : 'text';
}

function contentsOf({ families, series, samples, exemplars }: PageCheck): string {
  const parts = [
    families === 1 ? '1 family' : `${families} families`,
    `${series} series`,
    ...(samples === series ? [] : [counted(samples, 'sample')]),
    ...(exemplars === 0 ? [] : [counted(exemplars, 'exemplar')]),
  ];
  return parts.join(', ');
}

interface Output {
  readonly terminal: Terminal;
  readonly screen: Screen;
}

function printFindings(check: PageCheck, args: Arguments, { terminal, screen }: Output): void {
  const total = check.errors + check.warnings;
  const chosen = args.isSet('all') ? check.findings : chooseFindings(check.findings);
  for (const { line, severity, text } of chosen) {
    const mark = screen.paint(severity, severity === 'error' ? 'red' : 'yellow');
    terminal.out(`line ${line}: ${mark}: ${screen.show(text)}`);
  }
  if (chosen.length < total) {
    const more = args.isSet('all') ? '' : '; --all prints more';
    terminal.out(`and ${counted(total - chosen.length, 'more finding')}${more}`);
  }
}

/** The first ones, though no warning takes an error's place. */
function chooseFindings(findings: readonly Finding[]): readonly Finding[] {
  const errors = findings.filter(({ severity }) => severity === 'error').slice(0, shownFindings);
  const warnings = findings.filter(({ severity }) => severity === 'warning').slice(0, shownFindings - errors.length);
  return [...errors, ...warnings].sort((a, b) => a.line - b.line);
}

function verdictOf({ errors, warnings, scrapeError }: PageCheck, format: ExpositionFormat): string {
  const advice = warnings === 0 ? '' : `, ${counted(warnings, 'warning')}`;
  if (errors === 0) return `taken${advice}`;
  const told = `refused: ${counted(errors, 'error')}${advice}`;
  if (scrapeError !== undefined) return `${told}; a scrape of this page fails, and stores nothing of it`;
  return `${told}; a scrape takes it all the same, but readers that hold to ${formatNames[format]} need not`;
}

async function answerJsonLines(terminal: Terminal): Promise<number> {
  let isEveryPageTaken = true;
  for await (const line of createInterface({ input: Readable.from(terminal.input?.() ?? []) })) {
    if (line.trim() === '') continue;
    const answer = checkJsonLine(line);
    if (!answer.ok) isEveryPageTaken = false;
    terminal.out(JSON.stringify(answer));
  }
  return isEveryPageTaken ? 0 : 1;
}
