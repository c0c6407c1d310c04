/** Joins what a container runtime cut: parts of stdout and of stderr may interleave, so each stream is joined by itself. */
import { type CriLine, decodeText } from './cri-line.ts';

/** A whole line of a program. */
export interface JoinedLine {
  /** The stamp of the first part. */
  readonly timeNs: bigint;
  readonly stream: 'stdout' | 'stderr';
  readonly text: string;
  readonly hasInvalidUtf8: boolean;
  readonly parts: number;
  /** The program's line goes on, but it was too long, or its end too long in coming. What follows is a line of its own. */
  readonly isCut: boolean;
}

export interface PartialJoiner {
  /** The line that this record completes, if it does. `nowMs` is the caller's clock, for `flushOlderThan`. */
  push(line: CriLine, nowMs: number): JoinedLine | undefined;
  /** Gives up waiting for the rest of lines whose first part was pushed before `limitMs`. */
  flushOlderThan(limitMs: number): readonly JoinedLine[];
  /** Gives up waiting for anything. */
  flush(): readonly JoinedLine[];
  /** When the oldest part that still waits was pushed, or undefined when nothing waits. */
  waitingSinceMs(): number | undefined;
}

interface Pending {
  readonly timeNs: bigint;
  readonly sinceMs: number;
  readonly parts: Buffer[];
  sizeBytes: number;
}

const defaultLimitBytes = 1024 * 1024;
const partOverheadBytes = 64;

/** Makes the joiner of one log file; a line is cut behind the part that brings it to `limitBytes`. */
export function createPartialJoiner(limitBytes: number = defaultLimitBytes): PartialJoiner {
  const pending = new Map<'stdout' | 'stderr', Pending>();

  const take = (stream: 'stdout' | 'stderr', isCut: boolean): JoinedLine | undefined => {
    const waiting = pending.get(stream);
    if (waiting === undefined) return undefined;
    pending.delete(stream);
    const { timeNs, parts } = waiting;
    return { timeNs, stream, ...decodeText(Buffer.concat(parts)), parts: parts.length, isCut };
  };

  const flushWhere = (isDue: (waiting: Pending) => boolean): readonly JoinedLine[] => {
    const lines: JoinedLine[] = [];
    for (const [stream, waiting] of [...pending]) {
      const line = isDue(waiting) ? take(stream, true) : undefined;
      if (line !== undefined) lines.push(line);
    }
    return lines;
  };

  return {
    push(line, nowMs) {
      let waiting = pending.get(line.stream);
      if (waiting === undefined && !line.isPartial) {
        const { timeNs, stream, text, hasInvalidUtf8 } = line;
        return { timeNs, stream, text, hasInvalidUtf8, parts: 1, isCut: false };
      }
      if (waiting === undefined) {
        waiting = { timeNs: line.timeNs, sinceMs: nowMs, parts: [], sizeBytes: 0 };
        pending.set(line.stream, waiting);
      }
      // A copy: the view would keep the caller's whole read buffer in memory.
      waiting.parts.push(Buffer.from(line.content));
      // Empty parts count too, or a stranger's could pile up.
      waiting.sizeBytes += line.content.length + partOverheadBytes;
      if (!line.isPartial) return take(line.stream, false);
      return waiting.sizeBytes >= limitBytes ? take(line.stream, true) : undefined;
    },
    flushOlderThan: (limitMs) => flushWhere((waiting) => waiting.sinceMs < limitMs),
    flush: () => flushWhere(() => true),
    waitingSinceMs() {
      let oldest: number | undefined;
      for (const { sinceMs } of pending.values()) oldest = oldest === undefined ? sinceMs : Math.min(oldest, sinceMs);
      return oldest;
    },
  };
}
