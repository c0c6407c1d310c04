/**
 * Bodies of remote write that cost next to nothing to send again: compressed once, with every sample's value and stamp left as they are, so
 * that they can be written over. A load of 100,000 samples a second then takes a few hundredths of a core from the servers it is for.
 */
export interface WriteTemplate {
  /** The compressed body with a sample for each series, all of one time. */
  at(timeMs: number, sampleOf: (series: number) => number): Buffer;
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  bytes.push(rest);
  return Buffer.from(bytes);
}

const field = (tag: number, bytes: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from([tag]), varint(bytes.length), bytes]);

const valueBytes = 8;
/** As many bytes as the milliseconds of our time take, from 2004 to 2109. */
const stampBytes = 6;
/** Value, the tag of the stamp, stamp: the last bytes of a series. */
const sampleBytes = valueBytes + 1 + stampBytes;
const stampTag = 0x10;

function encodeSeries(labels: readonly (readonly [string, string])[]): Buffer {
  const pairs = labels.map(([name, value]) =>
    field(0x0a, Buffer.concat([field(0x0a, Buffer.from(name)), field(0x12, Buffer.from(value))])),
  );
  return field(
    0x0a,
    Buffer.concat([...pairs, field(0x12, Buffer.concat([Buffer.from([0x09]), Buffer.alloc(sampleBytes)]))]),
  );
}

function literalHead(length: number): Buffer {
  if (length <= 60) return Buffer.from([(length - 1) << 2]);
  if (length <= 256) return Buffer.from([60 << 2, length - 1]);
  return Buffer.from([61 << 2, (length - 1) & 255, (length - 1) >> 8]);
}

const maxLiteral = 65_536;
const maxDistance = 65_535;
const maxCopy = 64;
const tableBits = 15;

/**
 * The body in snappy's format (format_description.txt of google/snappy) with no repetition from or to a byte that changes, and where each of
 * those stands.
 */
function compressAround(body: Buffer, isChanging: Uint8Array): { compressed: Buffer; places: Int32Array } {
  const out: Buffer[] = [varint(body.length)];
  let size = out[0]?.length ?? 0;
  const placeOf = new Int32Array(body.length);
  const write = (bytes: Buffer) => {
    out.push(bytes);
    size += bytes.length;
  };
  const writeLiteral = (from: number, to: number) => {
    for (let at = from; at < to; at += maxLiteral) {
      const bytes = body.subarray(at, Math.min(to, at + maxLiteral));
      write(literalHead(bytes.length));
      for (let i = 0; i < bytes.length; i++) placeOf[at + i] = size + i;
      write(bytes);
    }
  };
  const seen = new Int32Array(1 << tableBits).fill(-1);
  let written = 0;
  for (let at = 0; at + 4 <= body.length; ) {
    const slot = Math.imul(body.readUInt32LE(at), 0x1e35a7bd) >>> (32 - tableBits);
    const earlier = seen[slot] ?? -1;
    seen[slot] = at;
    let length = 0;
    if (earlier >= 0 && at - earlier <= maxDistance) {
      while (
        length < maxCopy &&
        body[at + length] === body[earlier + length] &&
        isChanging[at + length] === 0 &&
        isChanging[earlier + length] === 0
      )
        length++;
    }
    if (length < 4) {
      at++;
      continue;
    }
    writeLiteral(written, at);
    write(Buffer.from([((length - 1) << 2) | 2, (at - earlier) & 255, (at - earlier) >> 8]));
    at += length;
    written = at;
  }
  writeLiteral(written, body.length);
  return { compressed: Buffer.concat(out), places: placeOf.filter((_, at) => isChanging[at] === 1) };
}

/** Makes the body for series of these labels, each sorted by name. */
export function createWriteTemplate(series: readonly (readonly (readonly [string, string])[])[]): WriteTemplate {
  const parts = series.map(encodeSeries);
  const body = Buffer.concat(parts);
  const isChanging = new Uint8Array(body.length);
  let end = 0;
  for (const part of parts) {
    end += part.length;
    isChanging.fill(1, end - sampleBytes, end);
  }
  const { compressed, places } = compressAround(body, isChanging);
  const sample = Buffer.alloc(sampleBytes);
  sample[valueBytes] = stampTag;
  return {
    at(timeMs, sampleOf) {
      sample.set(varint(timeMs), valueBytes + 1);
      for (let i = 0; i < series.length; i++) {
        sample.writeDoubleLE(sampleOf(i), 0);
        for (let k = 0; k < sampleBytes; k++) compressed[places[i * sampleBytes + k] ?? 0] = sample[k] ?? 0;
      }
      return Buffer.from(compressed);
    },
  };
}
