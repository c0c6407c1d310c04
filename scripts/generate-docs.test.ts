import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { kinds } from '../src/cli/agent/kinds.ts';
import { type ComponentKind, loadConfiguration, loadFiles } from '../src/config/load.ts';
import { formatProblem } from '../src/config/problem.ts';
import { keysOf, shapeOf, unwrap } from '../src/config/schema-walk.ts';
import { driftedFiles, generatedFiles } from './generate-docs.ts';

const root = join(import.meta.dirname, '..');
const none = { kinds, env: {}, sets: [] };

describe('what is generated from the schemas', () => {
  it('is on disk as the schemas say; npm run docs writes it anew', async () => {
    expect(await driftedFiles(root)).toEqual([]);
  });

  it('describes every key of every kind in a sentence', () => {
    const visit = (kind: ComponentKind, schema: ComponentKind['config']): void => {
      for (const [key, below] of keysOf(schema) ?? []) {
        expect(unwrap(below).notes.description, `${kind.type} ${key}`).toMatch(/\.$/);
        if (shapeOf(below) === 'table') visit(kind, below);
      }
    };
    for (const kind of [...kinds.inputs, ...kinds.outputs]) visit(kind, kind.config);
  });

  it('ships a configuration that takes what is pushed, and scrapes or tails nothing by itself', async () => {
    const loaded = await loadConfiguration({ ...none, directory: join(root, 'conf.d') });
    expect(loaded.ok ? loaded.warnings : loaded.problems).toEqual([]);
    expect(loaded.ok && loaded.configuration.inputs.map((input) => input.name)).toEqual(['inputs.zipkin']);
    expect(loaded.ok && loaded.configuration.outputs).toEqual([]);
  });

  const samples = [...generatedFiles()].filter(([path]) => path.endsWith('.conf') && !path.endsWith('trawl.conf'));

  it.each(samples)(
    '%s is right with its block and any one of its commented keys switched on',
    async (path, content) => {
      const lines = content.replace(/^# \[\[/m, '[[').split('\n');
      const isKey = (line: string) => /^ *(?:# )?[\w"]+ = /.test(line);
      const keys = lines.flatMap((line, i) => (isKey(line) ? [i] : []));
      expect(keys.length).toBeGreaterThan(0);
      for (const chosen of keys) {
        const header = lines.findLastIndex((line, i) => i < chosen && /^ *# \[\w+\./.test(line));
        const text = lines.map((line, i) => {
          const isRequired =
            lines
              .slice(0, i)
              .findLast((earlier) => !earlier.includes('## ') || / Required\.$/.test(earlier))
              ?.endsWith(' Required.') === true;
          return i === chosen || i === header || (isKey(line) && isRequired) ? line.replace('# ', '') : line;
        });
        // A scrape needs an address and nothing to read but it; that is the only key that another one asks for.
        const address =
          path.endsWith('prom.conf') && !/ urls? = /.test(lines[chosen] ?? '')
            ? 'urls = ["http://127.0.0.1:1/metrics"]'
            : '';
        const body = text.join('\n').replace(/^(\[\[.*\]\])$/m, (line) => `${line}\n${address}`);
        const loaded = await loadFiles(
          { files: [{ file: path, content: body }], problems: [], warnings: [] },
          { ...none, env: { HOME: '/' } },
        );
        const told = loaded.ok
          ? []
          : loaded.problems
              .map(formatProblem)
              .filter((problem) => !/cannot be read|needs exactly one of/.test(problem));
        expect(told, lines[chosen]).toEqual([]);
      }
    },
  );

  it('ships a trawl.conf whose every commented key is right', async () => {
    const content = generatedFiles().get('conf.d/trawl.conf') ?? '';
    const active = content.replaceAll(/^( *)# (?=\w+ = )/gm, '$1').replaceAll(/\{ (?:file|env) = [^}]*\}/g, '"secret"');
    const loaded = await loadFiles(
      { files: [{ file: 'trawl.conf', content: active }], problems: [], warnings: [] },
      none,
    );
    expect(loaded.ok ? [] : loaded.problems.map(formatProblem)).toEqual([]);
  });
});
