/** What Zipkin makes of the text in an endpoint's `ipv4` or `ipv6`, whichever of the two it came under. */

export type IpAddress = { readonly ipv4: string } | { readonly ipv6: string };

const partCount = 8;

/** Reads an address: a dotted quad, an IPv6 address (written canonically), or an IPv4 address in IPv6 clothes; undefined when it is none. */
export function parseIpAddress(text: string): IpAddress | undefined {
  // The longest address is 45 characters; `::` and leading zeros can be no longer.
  if (text.length > 64) return undefined;
  if (text.indexOf(':') === -1) return isIpv4(text, 0) ? { ipv4: text } : undefined;
  if (!/^[0-9a-fA-F:]*[0-9a-fA-F.]*$/.test(text)) return undefined;
  if (text.indexOf('.') !== -1) return parseEmbedded(text);
  const parts = parseIpv6(text);
  return parts === undefined ? undefined : { ipv6: writeIpv6(parts) };
}

/** `::1.2.3.4` and `::ffff:1.2.3.4`; Zipkin also takes any mix of `f` and `0` for the four digits. */
function parseEmbedded(text: string): IpAddress | undefined {
  const lastColon = text.lastIndexOf(':');
  if (!isIpv4(text, lastColon + 1)) return undefined;
  if (lastColon === 1 ? !text.startsWith(':') : lastColon !== 6 || !/^::[fF0]{4}:/.test(text)) return undefined;
  return { ipv4: text.slice(lastColon + 1) };
}

/** Whether the text from `start` is four decimal numbers up to 255 of one to three digits, joined by dots. */
export function isIpv4(text: string, start: number): boolean {
  const length = text.length - start;
  if (length < 7 || length > 15) return false;
  let octet = -1;
  let digits = 0;
  let dots = 0;
  for (let i = start; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x2e) {
      if (octet < 0 || ++dots > 3) return false;
      octet = -1;
      digits = 0;
      continue;
    }
    if (code < 0x30 || code > 0x39 || ++digits > 3) return false;
    octet = (octet < 0 ? 0 : octet * 10) + code - 0x30;
    if (octet > 255) return false;
  }
  return dots === 3 && octet >= 0;
}

function parseIpv6(text: string): readonly number[] | undefined {
  const parts = text.split(':');
  if (parts.length < 3 || parts.length > partCount + 1) return undefined;
  let gap = -1;
  for (let i = 1; i < parts.length - 1; i++) {
    if (parts[i] !== '') continue;
    if (gap >= 0) return undefined;
    gap = i;
  }
  if (gap < 0) return parts.length === partCount ? parseParts(parts) : undefined;
  const before = parts.slice(0, gap);
  const after = parts.slice(gap + 1);
  // A colon at either end is only good as half of the `::`.
  if (before[0] === '' && before.length > 1) return undefined;
  if (after.at(-1) === '' && after.length > 1) return undefined;
  const head = before[0] === '' ? [] : before;
  const tail = after[0] === '' ? [] : after;
  const skipped = partCount - head.length - tail.length;
  if (skipped < 1) return undefined;
  return parseParts([...head, ...new Array<string>(skipped).fill('0'), ...tail]);
}

function parseParts(parts: readonly string[]): readonly number[] | undefined {
  const values: number[] = [];
  for (const part of parts) {
    const value = part === '' ? Number.NaN : Number.parseInt(part, 16);
    if (!(value <= 0xffff)) return undefined;
    values.push(value);
  }
  return values;
}

function writeIpv6(parts: readonly number[]): string {
  const gap = longestZeros(parts);
  if (gap === undefined) return parts.map((part) => part.toString(16)).join(':');
  const head = parts.slice(0, gap.start).map((part) => part.toString(16));
  const tail = parts.slice(gap.end).map((part) => part.toString(16));
  return `${head.join(':')}::${tail.join(':')}`;
}

/** The run of zeros that `::` stands for. As Zipkin has it: a single zero counts too, and a run at the end only when there is no other. */
function longestZeros(parts: readonly number[]): { start: number; end: number } | undefined {
  let best: { start: number; end: number } | undefined;
  let start = -1;
  for (let i = 0; i < partCount; i++) {
    if (parts[i] === 0) {
      if (start < 0) start = i;
      continue;
    }
    if (start >= 0 && (best === undefined || i - start > best.end - best.start)) best = { start, end: i };
    start = -1;
  }
  if (best === undefined && start >= 0) return { start, end: partCount };
  return best;
}

/**
 * Reads an address of 4 or 16 bytes from `start` on; undefined for any other length. Of IPv4 addresses in IPv6 clothes Zipkin undresses
 * only those with zeros in front (`::1.2.3.4`, and not `::1`).
 */
export function readIpAddress(bytes: Uint8Array, start: number, length: number): IpAddress | undefined {
  if (length === 4) return { ipv4: readIpv4(bytes, start) };
  if (length !== 16) return undefined;
  const partAt = (i: number) => ((bytes[start + 2 * i] ?? 0) << 8) | (bytes[start + 2 * i + 1] ?? 0);
  const parts = Array.from({ length: partCount }, (_, i) => partAt(i));
  const isEmbedded = parts.slice(0, 6).every((part) => part === 0) && !(parts[6] === 0 && parts[7] === 1);
  return isEmbedded ? { ipv4: readIpv4(bytes, start + 12) } : { ipv6: writeIpv6(parts) };
}

function readIpv4(bytes: Uint8Array, start: number): string {
  return `${bytes[start]}.${bytes[start + 1]}.${bytes[start + 2]}.${bytes[start + 3]}`;
}

/** The 4 or 16 bytes of an address as the model has it; none for what is no address. */
export function writeIpBytes(text: string): Buffer {
  if (text.indexOf(':') === -1) return isIpv4(text, 0) ? Buffer.from(text.split('.').map(Number)) : Buffer.alloc(0);
  return Buffer.from((parseIpv6(text) ?? []).flatMap((part) => [part >> 8, part & 0xff]));
}
