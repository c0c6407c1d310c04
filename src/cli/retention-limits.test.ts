import { describe, expect, it } from 'vitest';
import { mainConfig } from '../config/main-config.ts';
import type { Signal } from '../model/batch.ts';
import { withOutOfOrderWindow } from './retention-limits.ts';

const hourMs = 3_600_000;
const nowMs = 1000 * hourMs;
const weekAgoMs = nowMs - 168 * hourMs;

describe('the window for late samples', () => {
  const oldest = (store: Readonly<Record<string, unknown>>, kept: number | undefined) => {
    const oldestMs = withOutOfOrderWindow(
      () => kept,
      mainConfig.parse({ store }).store,
      () => nowMs,
    );
    return (signal: Signal) => oldestMs(signal);
  };

  it('narrows how old samples may be, and samples alone', () => {
    const of = oldest({ out_of_order_window: '2h' }, weekAgoMs);
    expect([of('samples'), of('spans'), of('logs')]).toEqual([nowMs - 2 * hourMs, weekAgoMs, weekAgoMs]);
  });

  it('never widens what the store keeps', () => {
    expect(oldest({ out_of_order_window: '9999h' }, weekAgoMs)('samples')).toBe(weekAgoMs);
    expect(oldest({}, weekAgoMs)('samples')).toBe(weekAgoMs);
  });

  it('is lifted where samples are kept for ever', () => {
    expect(oldest({ out_of_order_window: '2h', retention: 'forever' }, undefined)('samples')).toBeUndefined();
    const samplesOnly = { out_of_order_window: '2h', retention: '7d', retention_samples: 'forever' };
    expect(oldest(samplesOnly, undefined)('samples')).toBeUndefined();
  });
});
