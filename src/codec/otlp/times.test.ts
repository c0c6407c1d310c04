import { describe, expect, it } from 'vitest';
import { joinTime, splitTime } from './times.ts';

const bitsOf = (ns: bigint) => ({ low: Number(ns & 0xffff_ffffn), high: Number(ns >> 32n) });

describe('a time in nanoseconds', () => {
  it('is the same after it was split, whichever of its 64 bits are set', () => {
    const limits = [32n, 53n, 62n, 63n, 64n].map((bits) => 2n ** bits);
    // Where microseconds stop being whole numbers in a double: the year 2255.
    const times = [...limits, 2n ** 53n * 1000n, 1_795_253_305_853_895_123n].flatMap((ns) => [ns - 1n, ns, ns + 1n]);
    for (const ns of times.map((time) => BigInt.asUintN(64, time))) {
      const { us, restNs } = splitTime(bitsOf(ns));
      expect(joinTime(us, restNs)).toBe(ns);
      if (us < 2 ** 53) expect(restNs >= 0 && restNs < 1000).toBe(true);
    }
  });
});
