import type { ByteReader } from './byte-reader.ts';

/**
 * Makes a reader for a part of a message that most often repeats the one before, as an endpoint does: its bytes are compared before they
 * are read again. Hot: bench/codec.ts. `length` is for formats that say it; otherwise the part says by its bytes where it ends.
 */
export function createRepeatedPartReader<Part>(
  bytes: ByteReader,
  read: (length: number) => Part,
): (length: number) => Part {
  let last: { readonly part: Part; readonly length: number; readonly start: number; readonly end: number } | undefined;
  return (length) => {
    const start = bytes.position;
    if (last !== undefined && last.length === length && bytes.repeats(last.start, last.end)) {
      bytes.position += last.end - last.start;
      return last.part;
    }
    const part = read(length);
    last = { part, length, start, end: bytes.position };
    return part;
  };
}
