/**
 * The column `spans.rest`: what hardly any span has and nothing searches for, as bytes that only `../writers/spans.ts` writes and
 * `../readers/spans.ts` reads; empty for a span that has nothing of it. Byte 0 says what follows, in this order, numbers little-endian:
 *
 *   startOffset    64 bits: what leads from `ts` back to the start, where that cannot be filed under
 *   remoteAddress  IPv4 in 32 bits or 0, IPv6 as text with its length, port in 16 bits or 0
 *   eventTimes     how many, then 64 bits each: what leads from `ts` to the event of the same place in `event_value`
 */
export const restParts = { startOffset: 1, remoteAddress: 2, eventTimes: 4 } as const;
