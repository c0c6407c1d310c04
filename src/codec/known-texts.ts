/**
 * The same short texts come in every span: names of tags, of services, of hosts. Looked up by their bytes they cost a hash and a comparison
 * instead of a new string, and the engine need not look for them among its property names again.
 */

const slotCount = 4096;
const lengthLimit = 64;
const slots: (string | undefined)[] = new Array<string | undefined>(slotCount).fill(undefined);

/** The text of ASCII bytes from `start` to `end`; undefined when they are not ASCII or too long to be worth knowing. Hot: bench/codec.ts. */
export function knownText(bytes: Buffer, start: number, end: number): string | undefined {
  const length = end - start;
  if (length > lengthLimit) return undefined;
  let hash = length;
  let seen = 0;
  for (let i = start; i < end; i++) {
    const byte = bytes[i] ?? 0;
    seen |= byte;
    hash = (Math.imul(hash, 31) + byte) | 0;
  }
  if (seen > 0x7f) return undefined;
  const slot = (hash ^ (hash >>> 15)) & (slotCount - 1);
  const known = slots[slot];
  if (known !== undefined && known.length === length && isSame(known, bytes, start)) return known;
  // Two texts may share a slot: the later one drives the earlier into the next, and is driven out of it by the one after.
  const other = slots[slot ^ 1];
  if (other !== undefined && other.length === length && isSame(other, bytes, start)) return other;
  const text = bytes.toString('latin1', start, end);
  slots[slot ^ 1] = known;
  slots[slot] = text;
  return text;
}

function isSame(text: string, bytes: Buffer, start: number): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== bytes[start + i]) return false;
  return true;
}
