/** Skips what nobody asked for. */
import type { ByteReader } from '../byte-reader.ts';
import {
  thriftBool,
  thriftByte,
  thriftDouble,
  thriftI16,
  thriftI32,
  thriftI64,
  thriftList,
  thriftMap,
  thriftSet,
  thriftStop,
  thriftString,
  thriftStruct,
} from './thrift-types.ts';

/** Senders nest three deep; Zipkin's limit is its stack. */
const nestingLimit = 64;

const widths: ReadonlyMap<number, number> = new Map([
  [thriftBool, 1],
  [thriftByte, 1],
  [thriftI16, 2],
  [thriftI32, 4],
  [thriftDouble, 8],
  [thriftI64, 8],
]);

/**
 * Skips a value of a type. Zipkin 3.6.1 skips all that is left instead and then misses it, so it refuses what this takes. A type that Thrift
 * does not have takes no bytes, as in Zipkin.
 */
export function skipValue(bytes: ByteReader, type: number, depth = 0): void {
  if (depth > nestingLimit) throw bytes.error(`Malformed: nested more than ${nestingLimit} deep`);
  bytes.countSkipped();
  const width = widths.get(type);
  if (width !== undefined) bytes.skip(width);
  else if (type === thriftString) bytes.skip(bytes.int32());
  else if (type === thriftStruct) skipStruct(bytes, depth);
  else if (type === thriftMap) skipElements(bytes, [bytes.byte(), bytes.byte()], depth);
  else if (type === thriftSet || type === thriftList) skipElements(bytes, [bytes.byte()], depth);
}

function skipStruct(bytes: ByteReader, depth: number): void {
  for (let type = bytes.byte(); type !== thriftStop; type = bytes.byte()) {
    bytes.skip(2);
    skipValue(bytes, type, depth + 1);
  }
}

function skipElements(bytes: ByteReader, types: readonly number[], depth: number): void {
  const count = bytes.int32();
  if (count > bytes.remaining) throw bytes.error(`Truncated: length ${count} > bytes available ${bytes.remaining}`);
  // Elements that take no bytes would take time for as long as the message says.
  if (!types.some(takesBytes)) return;
  const [only] = types;
  const width = types.length === 1 && only !== undefined ? widths.get(only) : undefined;
  if (width !== undefined) {
    if (count > 0) bytes.skip(count * width);
    return;
  }
  for (let left = count; left > 0; left--) for (const type of types) skipValue(bytes, type, depth + 1);
}

function takesBytes(type: number): boolean {
  return widths.has(type) || (type >= thriftString && type <= thriftList);
}
