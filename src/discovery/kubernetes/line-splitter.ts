/** Cuts a stream of bytes at newlines, with a bound on what one line may take. */

export interface LineSplitter {
  push(chunk: Buffer): void;
}

export interface LineSplitterOptions {
  readonly maxLineBytes: number;
  onLine(line: string): void;
  /** A line was longer; it has been passed over. Called when its end has come. */
  onTooLong(sizeBytes: number): void;
}

const newline = 0x0a;

/** Makes a splitter. Empty lines are left out; what has no newline yet is kept. */
export function createLineSplitter({ maxLineBytes, onLine, onTooLong }: LineSplitterOptions): LineSplitter {
  let parts: Buffer[] = [];
  let sizeBytes = 0;
  const keep = (part: Buffer): void => {
    sizeBytes += part.length;
    if (sizeBytes <= maxLineBytes) parts.push(part);
    else parts = [];
  };
  const finish = (part: Buffer): void => {
    const length = sizeBytes + part.length;
    if (length > maxLineBytes) onTooLong(length);
    else if (length > 0)
      onLine(parts.length === 0 ? part.toString('utf8') : Buffer.concat([...parts, part]).toString('utf8'));
    parts = [];
    sizeBytes = 0;
  };
  return {
    push(chunk) {
      let start = 0;
      for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, start)) {
        finish(chunk.subarray(start, end));
        start = end + 1;
      }
      // A copy: the chunk is memory that its sender shares among connections.
      if (start < chunk.length) keep(Buffer.from(chunk.subarray(start)));
    },
  };
}
