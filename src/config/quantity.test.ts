import { describe, expect, it } from 'vitest';
import { formatDuration, formatSize, parseDurationMs, parseSizeBytes } from './quantity.ts';

describe('a duration', () => {
  it.each([
    ['500ms', 500],
    ['10s', 10_000],
    ['1m30s', 90_000],
    ['1.5h', 5_400_000],
    ['7d', 604_800_000],
    ['2w', 1_209_600_000],
    ['0s', 0],
  ])('%s is %d ms', (text, valueMs) => {
    expect(parseDurationMs(text)).toEqual({ ok: true, value: valueMs });
  });

  it.each(['', '10', 's', '10 s', '-1s', '1s2', 'forever', '1e3s', '999999999999999y'])('refuses %j', (text) => {
    expect(parseDurationMs(text).ok).toBe(false);
  });

  it('asks for the unit of a bare number', () => {
    const message = 'must say its unit: a bare 10 could be seconds or milliseconds; write "10s" or "10ms"';
    expect(parseDurationMs(10)).toEqual({ ok: false, message });
  });

  it('is written the way it is read', () => {
    for (const valueMs of [0, 1, 999, 90_000, 86_400_000, 90_061_001]) {
      expect(parseDurationMs(formatDuration(valueMs))).toEqual({ ok: true, value: valueMs });
    }
  });
});

describe('a size', () => {
  it.each([
    ['64MiB', 67_108_864],
    ['1KB', 1000],
    ['1 GiB', 1_073_741_824],
    ['1.5K', 1536],
    ['12', 12],
    [4096, 4096],
  ])('%s is %d bytes', (text, sizeBytes) => {
    expect(parseSizeBytes(text)).toEqual({ ok: true, value: sizeBytes });
  });

  it.each(['', 'MiB', '-1', '1 gigabyte', '1e9', true, 1.5e300])('refuses %j', (text) => {
    expect(parseSizeBytes(text).ok).toBe(false);
  });

  it('is written the way it is read', () => {
    for (const sizeBytes of [1, 1023, 1024, 1536, 67_108_864, 5 * 1024 ** 4]) {
      expect(parseSizeBytes(formatSize(sizeBytes))).toEqual({ ok: true, value: sizeBytes });
    }
  });
});
