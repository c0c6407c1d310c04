/** Cuts what is read of a file into lines, in bounded memory whatever the file holds. */

export interface RawLine {
  /** Without its newline. Valid until the next chunk is read. */
  readonly bytes: Buffer;
  readonly startOffset: number;
  /** Behind the newline. */
  readonly endOffset: number;
  /** The line was longer than the limit; the rest of it is skipped. */
  readonly isCut: boolean;
}

export interface LineSplitter {
  /** Where the line begins that has not ended yet. */
  readonly lineOffset: number;
  /** Where the next chunk begins. */
  readonly readOffset: number;
  push(chunk: Buffer, onLine: (line: RawLine) => void): void;
  /** Ends a line without a newline: nothing more will be written. */
  finish(onLine: (line: RawLine) => void): void;
}

const newline = 0x0a;

/** Makes a splitter that starts at `offset`, a line's beginning. It keeps at most `maxBytes` of an unfinished line. */
export function createLineSplitter(offset: number, maxBytes: number): LineSplitter {
  let lineOffset = offset;
  let readOffset = offset;
  let rest: Buffer[] = [];
  let restBytes = 0;
  let isCut = false;

  const keep = (bytes: Buffer) => {
    const room = maxBytes - restBytes;
    if (bytes.length > room) isCut = true;
    if (room <= 0 || bytes.length === 0) return;
    // The chunk's memory is read into again.
    const kept = Buffer.from(bytes.subarray(0, room));
    rest.push(kept);
    restBytes += kept.length;
  };
  const end = (bytes: Buffer, endOffset: number, onLine: (line: RawLine) => void) => {
    const line = { bytes, startOffset: lineOffset, endOffset, isCut };
    lineOffset = endOffset;
    rest = [];
    restBytes = 0;
    isCut = false;
    onLine(line);
  };

  return {
    get lineOffset() {
      return lineOffset;
    },
    get readOffset() {
      return readOffset;
    },
    push(chunk, onLine) {
      const base = readOffset;
      let from = 0;
      for (let at = chunk.indexOf(newline); at >= 0; at = chunk.indexOf(newline, from)) {
        const piece = chunk.subarray(from, at);
        from = at + 1;
        if (restBytes === 0 && piece.length <= maxBytes) {
          end(piece, base + from, onLine);
        } else {
          keep(piece);
          end(Buffer.concat(rest, restBytes), base + from, onLine);
        }
      }
      keep(chunk.subarray(from));
      readOffset = base + chunk.length;
    },
    finish(onLine) {
      if (readOffset > lineOffset) end(Buffer.concat(rest, restBytes), readOffset, onLine);
    },
  };
}
