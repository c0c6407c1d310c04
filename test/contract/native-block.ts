/** Writes a block of ClickHouse's Native format, as much of it as the contract kits need. */

export type NativeColumn =
  | { readonly name: string; readonly type: 'UInt64'; readonly values: readonly bigint[] }
  | { readonly name: string; readonly type: 'Float64'; readonly values: readonly Buffer[] }
  | { readonly name: string; readonly type: 'String'; readonly values: readonly (string | Buffer)[] };

/** Columns of the same length as one block; a Float64 is given as its 8 bytes, so that a NaN keeps its payload. */
export function encodeNativeBlock(columns: readonly NativeColumn[]): Buffer {
  const rowCount = columns[0]?.values.length ?? 0;
  const parts = [encodeVarint(columns.length), encodeVarint(rowCount)];
  for (const column of columns)
    parts.push(encodeString(column.name), encodeString(column.type), ...encodeValues(column));
  return Buffer.concat(parts);
}

function encodeValues(column: NativeColumn): Buffer[] {
  if (column.type === 'String') return column.values.map(encodeString);
  if (column.type === 'Float64') return [...column.values];
  return column.values.map((value) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(value);
    return bytes;
  });
}

function encodeString(text: string | Buffer): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([encodeVarint(bytes.length), bytes]);
}

function encodeVarint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  bytes.push(rest);
  return Buffer.from(bytes);
}
