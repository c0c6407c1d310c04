/** A number for a label set, so that a table of series needs no text as key. */
import type { Label } from '../../model/sample.ts';

/** 53 bits of a hash of sorted labels; two sets that share one must still be compared. */
export function hashLabels(labels: readonly Label[]): number {
  let low = 0x9747b28c;
  let high = 0x3c6ef372;
  for (const label of labels) {
    for (const text of label) {
      for (let at = 0; at < text.length; at++) {
        const code = text.charCodeAt(at);
        low = Math.imul(low ^ code, 0x85ebca6b);
        high = Math.imul(high ^ code, 0xc2b2ae35);
      }
      // Ends the text, so that what moves from a name to its value counts.
      low = Math.imul(low ^ 0x1ffff, 0x27d4eb2f);
      high = Math.imul(high ^ 0x1ffff, 0x165667b1);
    }
  }
  low = Math.imul(low ^ (low >>> 16), 0x85ebca6b) ^ Math.imul(high ^ (high >>> 13), 0xc2b2ae35);
  high = Math.imul(high ^ (high >>> 16), 0x85ebca6b) ^ Math.imul(low ^ (low >>> 13), 0xc2b2ae35);
  return (high >>> 11) * 0x100000000 + (low >>> 0);
}

/** Whether two sorted label sets are the same. */
export function sameLabels(a: readonly Label[], b: readonly Label[]): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at++) {
    const one = a[at];
    const other = b[at];
    if (one?.[0] !== other?.[0] || one?.[1] !== other?.[1]) return false;
  }
  return true;
}
