/** The ids of v1 spans, which are 64-bit numbers written as hex: of longer texts only the last 16 digits are looked at. */
import { isAllZeros, isLowerHex, padId } from '../zipkin-v2-json/span-fields.ts';

const zeros = '0000000000000000';

/** The 16 digits of an id, or undefined where it is no such number. */
export function readSpanId(text: string): string | undefined {
  if (text.length === 0 || text.length > 32) return undefined;
  const low = text.length > 16 ? text.slice(-16) : text;
  return isLowerHex(low, 16) ? padId(low, 16) : undefined;
}

/** The 32 digits of a trace id, or undefined. Only a text of 32 has a high half; Zipkin leaves the odd digits of a shorter one away. */
export function readTraceId(text: string): string | undefined {
  if (text.length === 32) return isLowerHex(text, 32) ? text : undefined;
  const low = readSpanId(text);
  return low === undefined ? undefined : zeros + low;
}

/** Whether the number is zero: a trace id by its lower half alone, whatever stands before. */
export function isZeroId(id: string): boolean {
  return isAllZeros(id.slice(-16));
}
