/** What `trawl check` says: every problem at once, what was looked at, and what to do next. */
import { type ComponentKind, type Loaded, type LoadOptions, loadConfiguration } from './load.ts';
import { formatProblem, type Problem } from './problem.ts';

export interface CheckResult {
  readonly text: string;
  readonly exitCode: 0 | 1;
}

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

function list(title: string, problems: readonly Problem[]): string {
  return problems.map((problem) => `${title} ${formatProblem(problem)}\n`).join('\n');
}

function summary(loaded: Loaded<ComponentKind, ComponentKind>): string {
  if (!loaded.ok) return '';
  const { inputs, outputs, main } = loaded.configuration;
  const names = (blocks: readonly { readonly name: string; readonly source: string }[]) =>
    blocks.map((block) => `    ${block.name.padEnd(24)} ${block.source}\n`).join('');
  const lines = [
    inputs.length === 0
      ? '  no inputs: nothing would be taken in\n'
      : `  ${plural(inputs.length, 'input')}\n${names(inputs)}`,
    outputs.length === 0
      ? '  no outputs: data is kept here and handed on to nobody\n'
      : `  ${plural(outputs.length, 'output')}\n${names(outputs)}`,
    `  serves at ${main.http.listen}; keeps data in ${main.store.url === '' ? `${main.store.data_directory} (embedded store)` : main.store.url}\n`,
  ];
  return lines.join('');
}

/** Checks a configuration for people. `where` names what is checked; `nowMs` is a clock for the time it took. */
export async function checkConfiguration<InputKind extends ComponentKind, OutputKind extends ComponentKind>(
  options: LoadOptions<InputKind, OutputKind> & { readonly nowMs?: () => number },
): Promise<CheckResult> {
  const nowMs = options.nowMs ?? (() => performance.now());
  const startMs = nowMs();
  const loaded = await loadConfiguration(options);
  const took = `${Math.round(nowMs() - startMs)} ms`;
  const where = [options.directory, ...(options.files ?? [])].filter((item) => item !== undefined).join(', ');
  const files = `${plural(loaded.files.length, 'file')}${where === '' ? '' : ` (${where})`}`;
  const warnings = loaded.warnings.length === 0 ? '' : `${list('warning:', loaded.warnings)}\n`;
  const warned = loaded.warnings.length === 0 ? '' : ` and ${plural(loaded.warnings.length, 'warning')}`;
  if (!loaded.ok) {
    const count = plural(loaded.problems.length, 'problem');
    const them = loaded.problems.length === 1 ? 'it' : 'them';
    const text = `${list('error:', loaded.problems)}\n${warnings}checked ${files} in ${took}: ${count}${warned}\nnext: mend ${them} and run "trawl check" again; a running agent keeps its old configuration meanwhile\n`;
    return { text, exitCode: 1 };
  }
  const next = 'next: start with "trawl agent", or apply it to a running agent with SIGHUP or POST /-/reload\n';
  return {
    text: `${warnings}checked ${files} in ${took}: no problems${warned}\n${summary(loaded)}${next}`,
    exitCode: 0,
  };
}
