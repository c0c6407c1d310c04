/**
 * A disk in memory that behaves as badly as POSIX allows: what was not synced may be lost, half there or replaced by zeros after a crash,
 * names that were not synced with their directory may be gone or still there, writes are cut short, and any call can fail or be the last.
 */
import { basename, dirname } from 'node:path';
import type { FileInfo, FileSystem, OpenFile, OpenMode } from '../../src/pipeline/file-system.ts';

type Mutation =
  | { readonly kind: 'write'; readonly at: number; readonly bytes: Buffer }
  | { readonly kind: 'truncate'; readonly size: number };

interface Inode {
  contents: Buffer;
  durable: Buffer;
  unsynced: Mutation[];
}

type NameChange = (names: Map<string, Inode>) => void;

interface Directory {
  names: Map<string, Inode>;
  durable: Map<string, Inode>;
  unsynced: NameChange[];
}

export interface Call {
  readonly index: number;
  readonly operation:
    | 'open'
    | 'write'
    | 'read'
    | 'truncate'
    | 'syncData'
    | 'syncDirectory'
    | 'rename'
    | 'unlink'
    | 'list';
  readonly path: string;
}

/** What a call does instead of its work: fail with a code, write only so many bytes, be the last thing before the lights go out, or (a sync or a rename) nothing. */
export type Fault =
  | { readonly kind: 'fail'; readonly code: string }
  | { readonly kind: 'short'; readonly bytes: number }
  | { readonly kind: 'crash' }
  | { readonly kind: 'skip' };

export interface SimulatedDisk extends FileSystem {
  /** Asked before each call; undefined lets it work. */
  fault: (call: Call) => Fault | undefined;
  readonly calls: number;
  readonly hasCrashed: boolean;
  /** The lights go out: what is not synced is lost whole (`lose`), or in part as the random numbers will have it. Files opened before are dead; the disk works again. */
  restart(random: 'lose' | (() => number)): void;
  /** A file's bytes as they are now, for tests that damage them. */
  contents(path: string): Buffer;
  put(path: string, bytes: Uint8Array): void;
}

export class SimulatedError extends Error {
  readonly code: string;

  constructor(code: string, what: string) {
    super(`${code}: simulated, ${what}`);
    this.code = code;
  }
}

/** Makes an empty disk. */
export function createSimulatedDisk(): SimulatedDisk {
  const directories = new Map<string, Directory>();
  let calls = 0;
  let life = 0;
  let hasCrashed = false;

  /** Says what is to happen, after counting the call; throws where it fails. */
  const enter = (operation: Call['operation'], path: string, born = life): Fault | undefined => {
    if (hasCrashed || born !== life) throw new SimulatedError('ECRASHED', `${operation} ${path}`);
    const fault = disk.fault({ index: calls++, operation, path });
    if (fault?.kind === 'crash') {
      hasCrashed = true;
      throw new SimulatedError('ECRASHED', `${operation} ${path}`);
    }
    if (fault?.kind === 'fail') throw new SimulatedError(fault.code, `${operation} ${path}`);
    return fault;
  };
  const directory = (path: string): Directory => {
    const found = directories.get(path);
    if (found === undefined) throw new SimulatedError('ENOENT', path);
    return found;
  };
  const change = (path: string, apply: NameChange) => {
    const parent = directory(path);
    apply(parent.names);
    parent.unsynced.push(apply);
  };
  const inodeAt = (path: string): Inode => {
    const inode = directories.get(dirname(path))?.names.get(basename(path));
    if (inode === undefined) throw new SimulatedError('ENOENT', path);
    return inode;
  };
  const mutate = (inode: Inode, mutation: Mutation) => {
    inode.contents = applied(inode.contents, mutation);
    inode.unsynced.push(mutation);
  };

  const openFile = (path: string, inode: Inode): OpenFile => {
    const born = life;
    return {
      async write(buffers, positionBytes) {
        const bytes = Buffer.concat(buffers);
        if (hasCrashed || born !== life) throw new SimulatedError('ECRASHED', path);
        let fault: Fault | undefined;
        try {
          fault = enter('write', path, born);
        } catch (error) {
          // The last write before a crash may have got anywhere.
          if (hasCrashed) mutate(inode, { kind: 'write', at: positionBytes, bytes });
          throw error;
        }
        const written = fault?.kind === 'short' ? bytes.subarray(0, fault.bytes) : bytes;
        mutate(inode, { kind: 'write', at: positionBytes, bytes: written });
        return written.byteLength;
      },
      async read(into, positionBytes) {
        enter('read', path, born);
        return inode.contents.copy(into, 0, positionBytes);
      },
      async truncate(sizeBytes) {
        enter('truncate', path, born);
        mutate(inode, { kind: 'truncate', size: sizeBytes });
      },
      async syncData() {
        if (enter('syncData', path, born)?.kind === 'skip') return;
        inode.durable = inode.contents;
        inode.unsynced = [];
      },
      async close() {},
    };
  };

  const create = (path: string, mode: OpenMode): Inode => {
    const existing = directories.get(dirname(path))?.names.get(basename(path));
    if (mode === 'create' && existing !== undefined) throw new SimulatedError('EEXIST', path);
    if (existing !== undefined) {
      mutate(existing, { kind: 'truncate', size: 0 });
      return existing;
    }
    const inode: Inode = { contents: Buffer.alloc(0), durable: Buffer.alloc(0), unsynced: [] };
    change(dirname(path), (names) => names.set(basename(path), inode));
    return inode;
  };

  const disk: SimulatedDisk = {
    fault: () => undefined,
    get calls() {
      return calls;
    },
    get hasCrashed() {
      return hasCrashed;
    },
    async open(path, mode) {
      enter('open', path);
      return openFile(path, mode === 'create' || mode === 'replace' ? create(path, mode) : inodeAt(path));
    },
    async syncDirectory(path) {
      if (enter('syncDirectory', path)?.kind === 'skip') return;
      const target = directory(path);
      target.durable = new Map(target.names);
      target.unsynced = [];
    },
    // Directories are there for good once made: the spool makes its own before anything is kept.
    async makeDirectory(path) {
      for (let at = path; !directories.has(at); at = dirname(at)) {
        directories.set(at, { names: new Map(), durable: new Map(), unsynced: [] });
      }
    },
    async rename(from, to) {
      if (enter('rename', from)?.kind === 'skip') return;
      const inode = inodeAt(from);
      if (dirname(from) === dirname(to)) {
        change(dirname(from), (names) => {
          names.delete(basename(from));
          names.set(basename(to), inode);
        });
        return;
      }
      change(dirname(to), (names) => names.set(basename(to), inode));
      change(dirname(from), (names) => names.delete(basename(from)));
    },
    async unlink(path) {
      enter('unlink', path);
      inodeAt(path);
      change(dirname(path), (names) => names.delete(basename(path)));
    },
    async list(path) {
      enter('list', path);
      const below = [...directories.keys()].filter((other) => other !== path && dirname(other) === path);
      return [...directory(path).names.keys(), ...below.map((other) => basename(other))].sort();
    },
    async info(path): Promise<FileInfo | undefined> {
      if (hasCrashed) throw new SimulatedError('ECRASHED', path);
      if (directories.has(path)) return { kind: 'directory', sizeBytes: 0, modifiedMs: 0 };
      const inode = directories.get(dirname(path))?.names.get(basename(path));
      return inode && { kind: 'file', sizeBytes: inode.contents.byteLength, modifiedMs: 0 };
    },
    restart(random) {
      life += 1;
      hasCrashed = false;
      const inodes = new Set<Inode>();
      for (const target of directories.values()) {
        const kept = random === 'lose' ? 0 : Math.floor(random() * (target.unsynced.length + 1));
        for (const inode of [...target.names.values(), ...target.durable.values()]) inodes.add(inode);
        // A journal keeps the order of names: some first part of the changes is there.
        for (const apply of target.unsynced.slice(0, kept)) apply(target.durable);
        target.names = new Map(target.durable);
        target.unsynced = [];
      }
      for (const inode of inodes) {
        inode.durable = random === 'lose' ? inode.durable : afterCrash(inode, random);
        inode.contents = inode.durable;
        inode.unsynced = [];
      }
    },
    contents: (path) => inodeAt(path).contents,
    put(path, bytes) {
      const inode: Inode = { contents: Buffer.from(bytes), durable: Buffer.from(bytes), unsynced: [] };
      directory(dirname(path)).names.set(basename(path), inode);
      directory(dirname(path)).durable.set(basename(path), inode);
    },
  };
  return disk;
}

function applied(contents: Buffer, mutation: Mutation): Buffer {
  if (mutation.kind === 'truncate') {
    const cut = Buffer.alloc(mutation.size);
    contents.copy(cut);
    return cut;
  }
  const grown = Buffer.alloc(Math.max(contents.byteLength, mutation.at + mutation.bytes.byteLength));
  contents.copy(grown);
  mutation.bytes.copy(grown, mutation.at);
  return grown;
}

/** Some of the unsynced changes reached the disk; of a write perhaps a part, perhaps only its length and zeros. */
function afterCrash(inode: Inode, random: () => number): Buffer {
  let contents = inode.durable;
  const reached = Math.floor(random() * (inode.unsynced.length + 1));
  for (const mutation of inode.unsynced.slice(0, reached)) {
    if (mutation.kind === 'truncate' || random() < 0.4) {
      contents = applied(contents, mutation);
      continue;
    }
    const bytes = random() < 0.5 ? Buffer.alloc(mutation.bytes.byteLength) : Buffer.from(mutation.bytes);
    const part = bytes.subarray(0, Math.floor(random() * (bytes.byteLength + 1)));
    contents = applied(contents, { ...mutation, bytes: part });
  }
  return contents;
}
