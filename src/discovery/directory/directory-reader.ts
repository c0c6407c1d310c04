/** Looks at a directory of manifests again and again, reads what has changed, and keeps the last good pods of what is broken. */
import { constants } from 'node:fs';
import { type FileHandle, open, readdir, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { Logger } from 'pino';
import type { Pod } from '../../model/pod.ts';
import { ManifestError } from './documents.ts';
import { type Manifest, type ManifestOptions, readManifest } from './manifest.ts';
import { type ReadOptions, readDocuments } from './read-documents.ts';

export const directoryLimits = {
  files: 2_000,
  pods: 20_000,
  yamlBytes: 1024 * 1024,
  jsonBytes: 8 * 1024 * 1024,
} as const;

export interface DirectoryReport {
  /** By uid, the same map while nothing has changed; undefined until a look has succeeded. */
  readonly pods: ReadonlyMap<string, Pod> | undefined;
  readonly files: number;
  /** What is wrong now, one sentence each, at most a few. */
  readonly problems: readonly string[];
}

export interface DirectoryReaderOptions extends ManifestOptions, ReadOptions {
  readonly path: string;
  readonly log: Logger;
  fail(why: string): void;
}

export interface DirectoryReader {
  /** One look. Never throws. */
  look(): Promise<DirectoryReport>;
}

interface File {
  /** As it was at the last look: when two looks agree and it is not what was read, it is read. */
  seen: string;
  /** As it was when it was read. */
  read: string;
  /** The last good ones. */
  pods: readonly Pod[];
  /** '' when there is nothing wrong with it. */
  problem: string;
  otherKinds: readonly string[];
}

const absent = 'absent';
const maxShownProblems = 3;
const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : String(error);

/** Makes a reader; nothing is read before `look`. */
export function createDirectoryReader(options: DirectoryReaderOptions): DirectoryReader {
  const { path, log, fail } = options;
  const files = new Map<string, File>();
  let isFirst = true;
  let directoryProblem = '';
  let mergeProblem = '';
  let merged: Merged | undefined;

  const complain = (problem: string, before: string): void => {
    if (problem !== '' && problem !== before) fail(problem);
  };

  const readFile = async (name: string, file: File): Promise<void> => {
    file.read = file.seen;
    const outcome = await readWithin(path, name, options).catch((error: unknown) => problemOf(join(path, name), error));
    if (typeof outcome === 'string') {
      const kept =
        file.pods.length === 0
          ? ''
          : `; its last good ${file.pods.length === 1 ? 'pod is' : `${file.pods.length} pods are`} kept`;
      const problem = `${outcome}${kept}`;
      complain(problem, file.problem);
      file.problem = problem;
      return;
    }
    if (file.problem !== '') log.info({ file: join(path, name) }, 'The manifest can be read again.');
    file.problem = '';
    file.pods = outcome.pods;
    const others = outcome.otherKinds.filter((kind) => !file.otherKinds.includes(kind));
    if (others.length > 0)
      log.info({ file: join(path, name) }, `Only pods are read; passed over: ${others.join(', ')}.`);
    file.otherKinds = outcome.otherKinds;
  };

  /** Whether the pods may be others than before. */
  const follow = async (names: ReadonlySet<string>): Promise<boolean> => {
    let hasChanged = isFirst;
    for (const [name, file] of files) {
      if (names.has(name)) continue;
      if (file.seen === absent) {
        files.delete(name);
        hasChanged = true;
      }
      file.seen = absent;
    }
    for (const [name, signature] of await signaturesOf(path, [...names])) {
      const file = files.get(name) ?? { seen: '', read: '', pods: [], problem: '', otherKinds: [] };
      files.set(name, file);
      const isSettled = file.seen === signature || isFirst;
      file.seen = signature;
      if (!isSettled || file.read === signature) continue;
      await readFile(name, file);
      hasChanged = true;
    }
    isFirst = false;
    return hasChanged;
  };

  return {
    async look() {
      let hasChanged = false;
      let problem = '';
      try {
        const names = await namesIn(path);
        hasChanged = await follow(new Set(names.slice(0, directoryLimits.files)));
        if (names.length > directoryLimits.files) {
          problem = `${path} has ${names.length} manifests and the first ${directoryLimits.files} are read; put several pods into one file`;
        }
      } catch (error) {
        problem = `cannot read the directory ${path} (${codeOf(error)}); the pods known from it are kept`;
      }
      complain(problem, directoryProblem);
      directoryProblem = problem;
      if (hasChanged) {
        merged = merge(path, files);
        complain(merged.problem, mergeProblem);
        mergeProblem = merged.problem;
      }
      const problems = [directoryProblem, mergeProblem, ...[...files.values()].map((file) => file.problem)];
      return { pods: merged?.pods, files: files.size, problems: shown(problems.filter((each) => each !== '')) };
    },
  };
}

function shown(problems: readonly string[]): readonly string[] {
  const more = problems.length - maxShownProblems;
  return more > 0 ? [...problems.slice(0, maxShownProblems), `and ${more} more`] : problems;
}

/** Names of manifests, in order, so that of two pods with one uid the same one always counts. */
async function namesIn(path: string): Promise<string[]> {
  const names = await readdir(path);
  return names.filter((name) => !name.startsWith('.') && /\.(ya?ml|json)$/i.test(name)).sort();
}

/** Changes whenever the file does; a ConfigMap's files change by a link that is turned to another directory, and so by inode. */
async function signatureOf(path: string): Promise<string> {
  try {
    const { ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
  } catch (error) {
    return `cannot be read: ${codeOf(error)}`;
  }
}

// Not blocking: a pipe without a writer would hang, and is refused below.
const openFlags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW;

/** Opens a file of the directory; a link, as a ConfigMap's files are, only where it leads to a place inside. */
async function openWithin(directory: string, name: string): Promise<FileHandle> {
  try {
    return await open(join(directory, name), openFlags);
  } catch (error) {
    if (codeOf(error) !== 'ELOOP') throw error;
  }
  const inside = await realpath(directory);
  const path = await realpath(join(directory, name));
  if (!path.startsWith(inside + sep))
    throw new ManifestError('a link that leads out of the directory is not followed', 0);
  return await open(path, openFlags);
}

const looksAtOnce = 32;

async function signaturesOf(path: string, names: readonly string[]): Promise<(readonly [string, string])[]> {
  const signatures: (readonly [string, string])[] = [];
  for (let from = 0; from < names.length; from += looksAtOnce) {
    const some = names.slice(from, from + looksAtOnce);
    signatures.push(
      ...(await Promise.all(some.map(async (name) => [name, await signatureOf(join(path, name))] as const))),
    );
  }
  return signatures;
}

async function readWithin(directory: string, name: string, options: ManifestOptions & ReadOptions): Promise<Manifest> {
  const file = await openWithin(directory, name);
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw new ManifestError('not a file', 0);
    const isJson = /\.json$/i.test(name);
    const maxBytes = isJson ? directoryLimits.jsonBytes : directoryLimits.yamlBytes;
    if (stats.size > maxBytes) {
      throw new ManifestError(
        `${stats.size} bytes are more than the ${maxBytes} that one manifest may have; split it`,
        0,
      );
    }
    const buffer = Buffer.alloc(stats.size);
    const { bytesRead } = await file.read(buffer, 0, stats.size, 0);
    const documents = await readDocuments(buffer.toString('utf8', 0, bytesRead), isJson, options);
    return readManifest(documents, options);
  } finally {
    await file.close();
  }
}

function problemOf(path: string, error: unknown): string {
  if (!(error instanceof ManifestError)) return `${path}: cannot be read (${codeOf(error)})`;
  return `${path}${error.line > 0 ? `:${error.line}` : ''}: ${error.message}`;
}

interface Merged {
  readonly pods: ReadonlyMap<string, Pod>;
  readonly problem: string;
}

function merge(path: string, files: ReadonlyMap<string, File>): Merged {
  const pods = new Map<string, Pod>();
  const origins = new Map<string, string>();
  let problem = '';
  for (const name of [...files.keys()].sort()) {
    for (const pod of files.get(name)?.pods ?? []) {
      if (pods.has(pod.uid)) {
        problem ||= `${join(path, name)}: Pod ${pod.namespace}/${pod.name} is in ${origins.get(pod.uid)} already (the same uid, or neither has one); that one counts`;
      } else if (pods.size >= directoryLimits.pods) {
        problem ||= `${path} has more than ${directoryLimits.pods} pods; the rest is not read`;
      } else {
        pods.set(pod.uid, pod);
        origins.set(pod.uid, name);
      }
    }
  }
  return { pods, problem };
}
