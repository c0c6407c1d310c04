/** Finds and reads the `*.conf` files of a directory. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Problem } from './problem.ts';

export interface SourceFile {
  readonly file: string;
  readonly content: string;
}

export interface FoundFiles {
  readonly files: readonly SourceFile[];
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
}

export const mainFileName = 'trawl.conf';

const maxFileBytes = 1024 * 1024;
const maxFiles = 10_000;
const maxDepth = 16;

const about = (file: string, message: string, hint = ''): Problem => ({
  file,
  line: 0,
  column: 0,
  path: '',
  message,
  hint,
  frame: '',
});

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : String(error);

const explain = (error: unknown): string => {
  const code = codeOf(error);
  const words: Readonly<Record<string, string>> = {
    ENOENT: 'there is no such file or directory',
    EACCES: 'permission denied',
    ENOTDIR: 'this is not a directory',
    ELOOP: 'a symbolic link leads back to itself',
  };
  return words[code] ?? code;
};

/** Paths of every `*.conf` below a directory, in order. Hidden directories (`.git`, and `..data` of a mounted ConfigMap) are passed over. */
async function walk(directory: string, problems: Problem[]): Promise<string[]> {
  const found: string[] = [];
  const visit = async (at: string, depth: number): Promise<void> => {
    let names: string[];
    try {
      names = (await readdir(at)).sort();
    } catch (error) {
      problems.push(about(at, `cannot be read: ${explain(error)}`));
      return;
    }
    for (const name of names) {
      if (name.startsWith('.') || found.length >= maxFiles) continue;
      const path = join(at, name);
      const info = await stat(path).catch((error: unknown) => {
        if (name.endsWith('.conf')) problems.push(about(path, `cannot be read: ${explain(error)}`));
        return undefined;
      });
      if (info?.isDirectory() === true && depth < maxDepth) await visit(path, depth + 1);
      else if (info?.isFile() === true && name.endsWith('.conf')) found.push(path);
    }
  };
  await visit(directory, 0);
  return found;
}

/** Reads the files of a directory and those that are named one by one; a file with the content of an earlier one is passed over, as DataKit does. */
export async function readFiles(options: {
  readonly directory?: string;
  readonly files?: readonly string[];
}): Promise<FoundFiles> {
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  const paths = [
    ...(options.directory === undefined ? [] : await walk(options.directory, problems)),
    ...(options.files ?? []),
  ];
  const files: SourceFile[] = [];
  const seen = new Set<string>();
  for (const path of paths) {
    if (basename(path) === 'datakit.conf') {
      warnings.push(about(path, "DataKit's main file is not read", `what Trawl has of it goes into ${mainFileName}`));
      continue;
    }
    try {
      const bytes = await readFile(path);
      if (bytes.length > maxFileBytes) {
        problems.push(
          about(path, `has ${bytes.length} bytes, more than the ${maxFileBytes} a configuration file may have`),
        );
        continue;
      }
      const content = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes);
      if (seen.has(content)) continue;
      seen.add(content);
      files.push({ file: path, content });
    } catch (error) {
      problems.push(
        about(path, error instanceof TypeError ? 'is not UTF-8 text' : `cannot be read: ${explain(error)}`),
      );
    }
  }
  return { files, problems, warnings };
}
