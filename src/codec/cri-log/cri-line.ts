/** A line of a container's log as CRI runtimes (containerd, CRI-O) write it: `<RFC3339Nano> <stdout|stderr> <P|F>[:more] <text>`. */
import { isUtf8 } from 'node:buffer';
import { CodecError } from '../codec-error.ts';
import { parseRfc3339Nano } from '../rfc3339.ts';

export interface CriLine {
  /** The runtime's own stamp. */
  readonly timeNs: bigint;
  readonly stream: 'stdout' | 'stderr';
  /** More of the same line follows in the next record of the stream. */
  readonly isPartial: boolean;
  /** The text's bytes, a view of what was handed in: runtimes cut long lines between any two bytes, so parts are joined before they are read. */
  readonly content: Buffer;
  readonly text: string;
  /** Bytes of the text were no UTF-8 and are U+FFFD in `text`. In a part, also because a character was cut in two. */
  readonly hasInvalidUtf8: boolean;
}

const space = 0x20;
const lineFeed = 0x0a;
const colon = 0x3a;
const partialTag = 0x50;
const fullTag = 0x46;
const shownLength = 80;

/** Decodes one record, without or with its line feed; a carriage return before that is the program's. Throws a CodecError. */
export function parseCriLine(line: Uint8Array): CriLine {
  const bytes = Buffer.from(line.buffer, line.byteOffset, line.byteLength);
  const end = bytes.length > 0 && bytes[bytes.length - 1] === lineFeed ? bytes.length - 1 : bytes.length;
  // A stamp is 35 bytes at most; a long text without blanks is not searched for one.
  const timeEnd = bytes.subarray(0, 64).indexOf(space);
  const timeNs = timeEnd < 0 ? undefined : parseRfc3339Nano(bytes, 0, timeEnd);
  if (timeNs === undefined) throw fail(bytes, 0, 'expected a time such as 2006-01-02T15:04:05.999999999Z');
  const stream = parseStream(bytes, timeEnd + 1);
  if (stream === undefined) throw fail(bytes, timeEnd + 1, 'expected stdout or stderr');
  const tag = timeEnd + 8;
  const isPartial = bytes[tag] === partialTag;
  if (!isPartial && bytes[tag] !== fullTag) throw fail(bytes, tag, 'expected the tag P or F');
  const textStart = findTextStart(bytes, tag + 1, end);
  if (textStart < 0) throw fail(bytes, tag, 'expected a blank after the tag P or F');
  const content = bytes.subarray(textStart, end);
  return { timeNs, stream, isPartial, content, ...decodeText(content) };
}

/** Reads bytes as UTF-8; what is none becomes U+FFFD and is told. */
export function decodeText(content: Buffer): { text: string; hasInvalidUtf8: boolean } {
  return { text: content.toString('utf8'), hasInvalidUtf8: !isUtf8(content) };
}

function parseStream(bytes: Buffer, at: number): 'stdout' | 'stderr' | undefined {
  if (bytes[at + 6] !== space) return undefined;
  const text = bytes.toString('latin1', at, at + 6);
  return text === 'stdout' || text === 'stderr' ? text : undefined;
}

/** Where the text starts behind the tag and what else stands there after a colon; an empty text may lack its blank. */
function findTextStart(bytes: Buffer, at: number, end: number): number {
  if (at === end) return end;
  if (bytes[at] === space) return at + 1;
  if (bytes[at] !== colon) return -1;
  const blank = bytes.indexOf(space, at);
  return blank < 0 || blank >= end ? end : blank + 1;
}

function fail(bytes: Buffer, at: number, wanted: string): CodecError {
  const got = bytes.toString('latin1', at, Math.min(bytes.length, at + shownLength));
  return new CodecError(`byte ${at}: ${wanted}, got ${got === '' ? 'the end of the line' : JSON.stringify(got)}`);
}
