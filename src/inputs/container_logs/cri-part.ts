import { CodecError } from '../../codec/codec-error.ts';
import { parseCriLine } from '../../codec/cri-log/cri-line.ts';
import type { RawLine } from './line-splitter.ts';
import type { LogPart } from './part-joiner.ts';

/** A file that was emptied under a writer that keeps its place begins with zeros. */
function withoutPadding(bytes: Buffer): Buffer {
  let at = 0;
  while (bytes[at] === 0) at++;
  return at === 0 ? bytes : bytes.subarray(at);
}

/** Reads a line as a container runtime writes it; undefined for a line that is none. */
export function readPart({ bytes, isCut }: RawLine): LogPart | undefined {
  try {
    const { timeNs, stream, isPartial, content, text, hasInvalidUtf8 } = parseCriLine(withoutPadding(bytes));
    return { timeNs, stream, isPartial, content, text, hasInvalidUtf8, isCut };
  } catch (error) {
    if (error instanceof CodecError) return undefined;
    throw error;
  }
}
