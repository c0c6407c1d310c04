import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const source = fileURLToPath(new URL('../src/', import.meta.url));

/** What each room may import of the others. `cli` sees everything; `main.ts` sees `cli`. */
const arrows: Readonly<Record<string, readonly string[]>> = {
  model: [],
  pattern: [],
  codec: ['model'],
  config: ['pipeline', 'pattern'],
  pipeline: ['model', 'config'],
  store: ['model', 'pipeline', 'pattern'],
  discovery: ['model', 'codec', 'pipeline', 'config', 'pattern'],
  inputs: ['model', 'codec', 'pipeline', 'config', 'discovery', 'pattern'],
  outputs: ['model', 'codec', 'pipeline', 'config', 'pattern'],
  query: ['model', 'codec', 'store', 'pattern'],
  server: ['pipeline', 'query', 'config'],
};

interface Import {
  readonly from: string;
  readonly to: string;
  readonly isTypeOnly: boolean;
}

const importPattern = /^(import|export)\s+(type\s)?[^'"]*?from\s+'(\.[^']+)'|import\(\s*'(\.[^']+)'\s*\)/gms;

function importsOf(file: string): Import[] {
  return [...readFileSync(join(source, file), 'utf8').matchAll(importPattern)].map((match) => ({
    from: file,
    to: relative(source, join(source, dirname(file), match[3] ?? match[4] ?? '')),
    isTypeOnly: match[2] !== undefined,
  }));
}

const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .map((file) => file.split(sep).join('/'))
  .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'));
const imports = files.flatMap(importsOf);
const roomOf = (file: string): string => file.split('/')[0] ?? '';
const componentOf = (file: string): string => file.split('/').slice(0, 2).join('/');

describe('the arrows between rooms', () => {
  it('finds the imports it is about', () => {
    expect(files.length).toBeGreaterThan(20);
    expect(imports.length).toBeGreaterThan(20);
  });

  it('point only where the design says', () => {
    const wrong = imports.filter(({ from, to }) => {
      const [here, there] = [roomOf(from), roomOf(to)];
      if (here === there || here === 'cli') return false;
      if (here === 'main.ts') return there !== 'cli';
      return !(arrows[here] ?? []).includes(there);
    });
    expect(wrong.map(({ from, to }) => `${from} → ${to}`)).toEqual([]);
  });

  it('let no component into another component', () => {
    const wrong = imports.filter(
      ({ from, to }) =>
        ['inputs', 'outputs'].includes(roomOf(from)) &&
        roomOf(to) === roomOf(from) &&
        componentOf(from) !== componentOf(to),
    );
    expect(wrong.map(({ from, to }) => `${from} → ${to}`)).toEqual([]);
  });

  it('form no cycle of files', () => {
    const edges = new Map<string, string[]>();
    for (const { from, to, isTypeOnly } of imports) if (!isTypeOnly) edges.set(from, [...(edges.get(from) ?? []), to]);
    const done = new Set<string>();
    const cycles: string[] = [];
    const visit = (file: string, path: readonly string[]): void => {
      const at = path.indexOf(file);
      if (at >= 0) {
        cycles.push([...path.slice(at), file].join(' → '));
        return;
      }
      if (done.has(file)) return;
      for (const next of edges.get(file) ?? []) visit(next, [...path, file]);
      done.add(file);
    };
    for (const file of files) visit(file, []);
    expect(cycles).toEqual([]);
  });

  it('lead into chDB from the store process alone', () => {
    const users = files.filter((file) =>
      /from 'chdb|import\('chdb|require\('chdb/.test(readFileSync(join(source, file), 'utf8')),
    );
    expect(users.filter((file) => !file.startsWith('store/engine/'))).toEqual([]);
  });
});
