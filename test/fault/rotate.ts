/** Writers of container logs with numbered lines, and everything that happens to such files: renamed, emptied, compressed, deleted. */
import {
  appendFileSync,
  closeSync,
  copyFileSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';

export interface LogWriter {
  /** The live file. */
  readonly path: string;
  /** The numbers of all whole lines written so far. */
  readonly written: number;
  /** Writes lines `line 1`, `line 2`, …, each with the next number. */
  write(lines: number): void;
  /** Writes a numbered line in parts, as a runtime does with long ones; without its end if `isWhole` is false. */
  writeParts(parts: number, isWhole?: boolean): void;
  /** Ends a line that `writeParts` left open. */
  endParts(): void;
  /** Appends as it is. */
  writeRaw(text: string | Uint8Array): void;
  /** As the kubelet and the runtime do: the file is renamed, and a new one is opened. The rotated file's path. */
  renameRotate(): string;
  /** As logrotate does when asked to: the file is copied, then emptied. */
  copyTruncate(): string;
  /** Opens the file anew under another inode's name without a trace of the old one. */
  replace(): void;
  close(): void;
}

export interface WriterOptions {
  readonly root: string;
  readonly namespace?: string;
  readonly pod?: string;
  readonly container?: string;
  readonly restart?: number;
}

/** A line as containerd writes it; the stamp carries the number, so that the order can be seen. */
export const criLine = (number: number, text: string, tag: 'P' | 'F' = 'F', stream = 'stdout') =>
  `2026-01-01T00:00:00.${String(number).padStart(9, '0')}Z ${stream} ${tag} ${text}\n`;

/** Opens the log of a container, making its directories. */
export function openLogWriter(options: WriterOptions): LogWriter {
  const { root, namespace = 'bookinfo', pod = 'ratings-v1', container = 'ratings', restart = 0 } = options;
  const path = join(root, `${namespace}_${pod}_0d9c`, container, `${restart}.log`);
  mkdirSync(dirname(path), { recursive: true });
  let fd = openSync(path, 'a');
  let number = 0;
  let rotations = 0;
  const rotatedPath = () => `${path}.20260101-${String(++rotations).padStart(6, '0')}`;
  return {
    path,
    get written() {
      return number;
    },
    write(lines) {
      let text = '';
      for (let n = 0; n < lines; n++) text += criLine(++number, `line ${number}`);
      writeSync(fd, text);
    },
    writeParts(parts, isWhole = true) {
      number++;
      const pieces = [`line ${number}`, ...Array.from({ length: parts - 1 }, (_, n) => ` part ${n + 2}`)];
      pieces.forEach((piece, n) => {
        writeSync(fd, criLine(number, piece, isWhole && n === parts - 1 ? 'F' : 'P'));
      });
    },
    endParts() {
      writeSync(fd, criLine(number, ' end'));
    },
    writeRaw(text) {
      writeSync(fd, typeof text === 'string' ? Buffer.from(text) : text);
    },
    renameRotate() {
      const rotated = rotatedPath();
      renameSync(path, rotated);
      closeSync(fd);
      fd = openSync(path, 'a');
      return rotated;
    },
    copyTruncate() {
      const rotated = rotatedPath();
      copyFileSync(path, rotated);
      truncateSync(path, 0);
      return rotated;
    },
    replace() {
      closeSync(fd);
      rmSync(path);
      fd = openSync(path, 'a');
    },
    close: () => closeSync(fd),
  };
}

/** Compresses a rotated file as the kubelet does: into another name, renamed when whole, then the plain one is removed. */
export function gzipRotated(path: string): string {
  writeFileSync(`${path}.tmp`, gzipSync(readFileSync(path)));
  renameSync(`${path}.tmp`, `${path}.gz`);
  rmSync(path);
  return `${path}.gz`;
}

/** Removes a pod's directory, as the kubelet does when the pod is gone. */
export function deletePod(writer: LogWriter): void {
  rmSync(dirname(dirname(writer.path)), { recursive: true });
}

/** Appends lines to any file, for those that no writer holds open. */
export function appendLines(path: string, from: number, to: number): void {
  let text = '';
  for (let n = from; n <= to; n++) text += criLine(n, `line ${n}`);
  appendFileSync(path, text);
}
