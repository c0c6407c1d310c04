/** Joins the parts that a container runtime cuts long lines into, separately for stdout and stderr, which may interleave. */
import { decodeText } from '../../codec/cri-log/cri-line.ts';
import type { LogStream } from '../../model/log-record.ts';

/** One line of the file, read. */
export interface LogPart {
  readonly timeNs: bigint;
  readonly stream: LogStream;
  /** More of this line follows. */
  readonly isPartial: boolean;
  /** Valid until more is read. */
  readonly content: Buffer;
  /** `content` as text. */
  readonly text: string;
  readonly hasInvalidUtf8: boolean;
  /** The end of the text is missing, for it is too long. */
  readonly isCut: boolean;
}

export interface JoinedLine {
  /** The first part's. */
  readonly timeNs: bigint;
  readonly stream: LogStream;
  readonly text: string;
  readonly hasInvalidUtf8: boolean;
  /** The end is missing: the line is too long, or its last part never came. */
  readonly isTruncated: boolean;
  readonly isTooLong: boolean;
}

interface Pending {
  readonly timeNs: bigint;
  readonly sinceMs: number;
  readonly parts: Buffer[];
  sizeBytes: number;
  isTooLong: boolean;
}

export interface PartJoiner {
  /** Takes a part; the line, if this was its last. */
  push(part: LogPart, nowMs: number): JoinedLine | undefined;
  isPending(stream: LogStream): boolean;
  /** When the oldest unfinished line began to wait, by the same clock as `nowMs`. */
  pendingSinceMs(): number | undefined;
  /** Ends the lines that have waited since `sinceMs` or longer. */
  flush(sinceMs: number): readonly JoinedLine[];
}

/** Makes a joiner whose lines have at most `maxBytes`. */
export function createPartJoiner(maxBytes: number): PartJoiner {
  const pending = new Map<LogStream, Pending>();

  const add = (line: Pending, part: LogPart) => {
    const room = maxBytes - line.sizeBytes;
    if (part.isCut || part.content.length > room) line.isTooLong = true;
    if (room <= 0 || part.content.length === 0) return;
    const kept = Buffer.from(part.content.subarray(0, room));
    line.parts.push(kept);
    line.sizeBytes += kept.length;
  };
  const join = (stream: LogStream, line: Pending, isWhole: boolean): JoinedLine => ({
    timeNs: line.timeNs,
    stream,
    ...decodeText(Buffer.concat(line.parts, line.sizeBytes)),
    isTruncated: line.isTooLong || !isWhole,
    isTooLong: line.isTooLong,
  });

  return {
    push(part, nowMs) {
      const { stream, timeNs, text, hasInvalidUtf8 } = part;
      let line = pending.get(stream);
      if (line === undefined) {
        if (!part.isPartial && !part.isCut && part.content.length <= maxBytes) {
          return { timeNs, stream, text, hasInvalidUtf8, isTruncated: false, isTooLong: false };
        }
        line = { timeNs, sinceMs: nowMs, parts: [], sizeBytes: 0, isTooLong: false };
        pending.set(stream, line);
      }
      add(line, part);
      if (part.isPartial) return undefined;
      pending.delete(stream);
      return join(stream, line, true);
    },
    isPending: (stream) => pending.has(stream),
    pendingSinceMs: () => {
      let oldest: number | undefined;
      for (const { sinceMs } of pending.values()) oldest = Math.min(oldest ?? sinceMs, sinceMs);
      return oldest;
    },
    flush(sinceMs) {
      const lines: JoinedLine[] = [];
      for (const [stream, line] of pending) {
        if (line.sinceMs > sinceMs) continue;
        pending.delete(stream);
        lines.push(join(stream, line, false));
      }
      return lines;
    },
  };
}
