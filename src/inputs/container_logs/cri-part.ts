/** Reads a line as a container runtime writes it: `<stamp> <stream> <P|F> <text>`. */
import type { RawLine } from './line-splitter.ts';
import type { LogPart } from './part-joiner.ts';

const header =
  /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d) (stdout|stderr) ([PF])(?::[^ ]*)?(?: |$)/;
const maxHeaderBytes = 256;

/** The part, or undefined for a line that is none. */
export function readPart({ bytes, isCut }: RawLine): LogPart | undefined {
  const text = bytes.toString('latin1', 0, Math.min(bytes.length, maxHeaderBytes));
  const match = header.exec(text);
  if (match === null) return undefined;
  const [whole, seconds = '', fraction = '', zone = '', stream, tag] = match;
  const ms = Date.parse(`${seconds}${zone}`);
  if (Number.isNaN(ms)) return undefined;
  return {
    timeNs: BigInt(ms) * 1_000_000n + BigInt(fraction.padEnd(9, '0')),
    stream: stream === 'stderr' ? 'stderr' : 'stdout',
    isPartial: tag === 'P',
    text: bytes.subarray(whole.length),
    isCut,
  };
}
