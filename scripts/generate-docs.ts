/**
 * Writes what comes from the configuration's schemas: the commented files of conf.d/ and docs/reference/configuration.md.
 * `--check` writes nothing and fails when a file is not what it would write.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { kinds } from '../src/cli/agent/kinds.ts';
import { mainSampleFile, referencePage, sampleFile } from '../src/config/document.ts';

/** The files, by their path below the repository's root. */
export function generatedFiles(): ReadonlyMap<string, string> {
  const files = new Map<string, string>([
    ['conf.d/trawl.conf', mainSampleFile()],
    ['docs/reference/configuration.md', referencePage(kinds)],
  ]);
  for (const kind of kinds.inputs) files.set(`conf.d/${kind.type}.conf`, sampleFile('inputs', kind));
  for (const kind of kinds.outputs) files.set(`conf.d/outputs/${kind.type}.conf`, sampleFile('outputs', kind));
  return files;
}

/** Files whose content on disk is not what the schemas say. */
export async function driftedFiles(root: string): Promise<readonly string[]> {
  const drifted: string[] = [];
  for (const [path, content] of generatedFiles()) {
    const found = await readFile(join(root, path), 'utf8').catch((error: unknown) => `missing: ${String(error)}`);
    if (found !== content) drifted.push(path);
  }
  return drifted;
}

async function main(args: readonly string[]): Promise<number> {
  const root = join(import.meta.dirname, '..');
  const drifted = await driftedFiles(root);
  if (args.includes('--check')) {
    for (const path of drifted) console.error(`${path} is not what the schemas say; run: npm run docs`);
    return drifted.length === 0 ? 0 : 1;
  }
  const files = generatedFiles();
  for (const path of drifted) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), files.get(path) ?? '');
    console.log(`wrote ${path}`);
  }
  return 0;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) process.exitCode = await main(process.argv.slice(2));
