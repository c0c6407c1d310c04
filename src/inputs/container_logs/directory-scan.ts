/** Finds the log files below a directory that is laid out as the kubelet does. */
import type { BigIntStats, Dirent } from 'node:fs';
import { lstat, readdir, realpath, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { compareRotations, type LogName, type PodDirectory, parseLogName, parsePodDirectory } from './log-path.ts';
import type { FileIdentity } from './log-source.ts';

export interface FoundFile extends FileIdentity {
  readonly path: string;
  readonly name: LogName;
  readonly sizeBytes: number;
  readonly mtimeNs: bigint;
}

/** The files of one life of a container, oldest first. */
export interface FoundContainer extends PodDirectory {
  /** Names the container's life: `<pod directory>/<container>/<restart>`. */
  readonly id: string;
  readonly container: string;
  readonly restart: number;
  readonly files: readonly FoundFile[];
}

export interface ScanOptions {
  /** The directory's real path. */
  readonly root: string;
  readonly includes: (container: { namespace: string; pod: string; container: string }) => boolean;
  /** Told of a link that leads out of the root, and of a directory that cannot be read. */
  readonly onProblem: (path: string, why: string) => void;
}

/** What a look at the directory shows. */
export interface Scan {
  readonly containers: readonly FoundContainer[];
  /** Directories below the root, `<pod>` or `<pod>/<container>`, that could not be looked at now: nothing in them may be taken for gone. */
  readonly unlisted: readonly { readonly directory: string; readonly why: string }[];
}

const codeOf = (error: unknown) => (error instanceof Error && 'code' in error ? error.code : undefined);

/**
 * Things vanish while they are looked at, and some are not for us. Anything else ends the look at the container: what cannot be listed for
 * want of descriptors, say, must not be taken for gone.
 */
async function ifThere<T>(path: string, look: () => Promise<T>, options: ScanOptions): Promise<T | undefined> {
  try {
    return await look();
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
    if (codeOf(error) !== 'EACCES' && codeOf(error) !== 'ELOOP') throw error;
    options.onProblem(path, error instanceof Error ? error.message : String(error));
    return undefined;
  }
}

const isBelow = (path: string, root: string) => path.startsWith(root.endsWith(sep) ? root : root + sep);

/** Whether an entry is what it seems, or a link to a place below the root. */
async function isAllowed(entry: Dirent, path: string, options: ScanOptions): Promise<boolean> {
  if (!entry.isSymbolicLink()) return true;
  const real = await ifThere(path, () => realpath(path), options);
  if (real === undefined) return false;
  if (isBelow(real, options.root)) return true;
  options.onProblem(path, `it is a link to ${real}, which is not below ${options.root}: not read`);
  return false;
}

async function listDirectory(path: string, options: ScanOptions): Promise<readonly Dirent[]> {
  const entries = (await ifThere(path, () => readdir(path, { withFileTypes: true }), options)) ?? [];
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function statFile(entry: Dirent, path: string, options: ScanOptions): Promise<BigIntStats | undefined> {
  const look = entry.isSymbolicLink() ? () => stat(path, { bigint: true }) : () => lstat(path, { bigint: true });
  const stats = await ifThere(path, look, options);
  return stats?.isFile() ? stats : undefined;
}

async function findFiles(directory: string, options: ScanOptions): Promise<Map<number, FoundFile[]>> {
  const lives = new Map<number, FoundFile[]>();
  for (const entry of await listDirectory(directory, options)) {
    const name = parseLogName(entry.name);
    const path = join(directory, entry.name);
    if (name === undefined || !(await isAllowed(entry, path, options))) continue;
    const stats = await statFile(entry, path, options);
    if (stats === undefined) continue;
    const { dev, ino, mtimeNs } = stats;
    const files = lives.get(name.restart) ?? [];
    files.push({ path, name, dev, ino, sizeBytes: Number(stats.size), mtimeNs });
    lives.set(name.restart, files);
  }
  for (const files of lives.values()) files.sort(compareRotations);
  return lives;
}

/** Finds the lives of one container's directory. Throws where that cannot be told. */
async function findLives(directory: string, options: ScanOptions): Promise<readonly FoundContainer[]> {
  const [podName = '', container = ''] = relative(options.root, directory).split(sep);
  const pod = parsePodDirectory(podName);
  if (pod === undefined || !options.includes({ ...pod, container })) return [];
  const lives = await findFiles(directory, options);
  return [...lives]
    .sort(([a], [b]) => a - b)
    .map(([restart, files]) => ({ ...pod, id: `${podName}/${container}/${restart}`, container, restart, files }));
}

/** Reports a directory that fails instead of letting the others wait for it. */
async function orUnlisted(path: string, options: ScanOptions, look: () => Promise<Scan>): Promise<Scan> {
  try {
    return await look();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    options.onProblem(path, why);
    return { containers: [], unlisted: [{ directory: relative(options.root, path), why }] };
  }
}

const together = (scans: readonly Scan[]): Scan => ({
  containers: scans.flatMap(({ containers }) => containers),
  unlisted: scans.flatMap(({ unlisted }) => unlisted),
});

/** Looks at one container's directory. */
export const scanContainer = (directory: string, options: ScanOptions): Promise<Scan> =>
  orUnlisted(directory, options, async () => ({ containers: await findLives(directory, options), unlisted: [] }));

function scanPod(pod: Dirent, options: ScanOptions): Promise<Scan> {
  const podPath = join(options.root, pod.name);
  return orUnlisted(podPath, options, async () => {
    const scans: Scan[] = [];
    if (!(await isAllowed(pod, podPath, options))) return together(scans);
    for (const container of await listDirectory(podPath, options)) {
      const path = join(podPath, container.name);
      if (container.isFile() || !(await isAllowed(container, path, options))) continue;
      scans.push(await scanContainer(path, options));
    }
    return together(scans);
  });
}

/** Finds every container below the root. Throws if the root itself cannot be listed. */
export async function scanRoot(options: ScanOptions): Promise<Scan> {
  const scans: Scan[] = [];
  for (const pod of await listDirectory(options.root, options)) {
    if (parsePodDirectory(pod.name) !== undefined) scans.push(await scanPod(pod, options));
  }
  return together(scans);
}
