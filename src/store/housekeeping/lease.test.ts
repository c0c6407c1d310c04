import { describe, expect, it } from 'vitest';
import { type Claim, holderOf } from './lease.ts';

const nowMs = 1_000_000;
const claim = (holder: number, changes: Partial<Claim> = {}): Claim => ({
  holder,
  sinceMs: nowMs - 100_000,
  renewedMs: nowMs - 5_000,
  untilMs: nowMs + 40_000,
  version: 1,
  horizons: undefined,
  ...changes,
});
const holder = (...all: Claim[]) => holderOf({ nowMs, all })?.holder;

describe('who keeps a store in order', () => {
  it('is the candidate that has been there longest, of two of one moment the one with the lower number', () => {
    expect(holder(claim(7), claim(3, { sinceMs: nowMs - 200_000 }), claim(1))).toBe(3);
    expect(holder(claim(7), claim(3))).toBe(3);
    expect(holder()).toBeUndefined();
  });

  it('is nobody whose claim has run out, or was written by a clock that has been set back since', () => {
    expect(holder(claim(3, { untilMs: nowMs }), claim(7))).toBe(7);
    expect(holder(claim(3, { renewedMs: nowMs + 3_600_000, untilMs: nowMs + 3_645_000 }), claim(7))).toBe(7);
  });

  it('is the store itself once it has said so, however long ago that was', () => {
    expect(holder(claim(0, { sinceMs: 0, renewedMs: 5, untilMs: 10 }), claim(7))).toBe(0);
  });
});
