import { describe, expect, it } from 'vitest';
import { goDuration, goTime, parseGoBool, parseGoDuration, parseGoInt, parseGoTime } from './go-text.ts';

describe('durations as Go has them', () => {
  it.each([
    ['0', 0n],
    ['1ns', 1n],
    ['100us', 100_000n],
    ['100µs', 100_000n],
    ['1.5s', 1_500_000_000n],
    ['0.2s', 200_000_000n],
    ['.5ms', 500_000n],
    ['1.s', 1_000_000_000n],
    ['-1m', -60_000_000_000n],
    ['+1h30m', 5_400_000_000_000n],
    ['1h15m30.918273645s', 4_530_918_273_645n],
    ['9223372036854775807ns', 9_223_372_036_854_775_807n],
  ])('reads %s', (text, ns) => {
    expect(parseGoDuration(text)).toEqual({ kind: 'value', value: ns });
  });

  it.each([
    ['abc', 'time: invalid duration "abc"'],
    ['', 'time: invalid duration ""'],
    ['-', 'time: invalid duration "-"'],
    ['.', 'time: invalid duration "."'],
    ['.s', 'time: invalid duration ".s"'],
    ['100', 'time: missing unit in duration "100"'],
    ['1x', 'time: unknown unit "x" in duration "1x"'],
    ['1toString', 'time: unknown unit "toString" in duration "1toString"'],
    ['9223372036854775808ns', 'time: invalid duration "9223372036854775808ns"'],
    ['9999999999h', 'time: invalid duration "9999999999h"'],
    [`${'9'.repeat(5000)}h`, `time: invalid duration "${'9'.repeat(5000)}h"`],
  ])('refuses %s', (text, message) => {
    expect(parseGoDuration(text)).toEqual({ kind: 'malformed', message });
  });

  it.each([
    [0n, '0s'],
    [1n, '1ns'],
    [1100n, '1.1µs'],
    [2_200_000n, '2.2ms'],
    [35_000_000n, '35ms'],
    [-35_000_000n, '-35ms'],
    [3_300_000_000n, '3.3s'],
    [245_000_000_000n, '4m5s'],
    [3_600_000_000_000n, '1h0m0s'],
    [18_367_001_000_000n, '5h6m7.001s'],
  ])('writes %s', (ns, text) => {
    expect(goDuration(ns)).toBe(text);
  });
});

describe('other texts as Go has them', () => {
  it('writes times', () => {
    expect(goTime(1_750_000_000_000_000_000n)).toBe('2025-06-15 15:06:40 +0000 UTC');
    expect(goTime(1_750_000_000_000_001_500n)).toBe('2025-06-15 15:06:40.0000015 +0000 UTC');
    expect(goTime(0n)).toBe('1970-01-01 00:00:00 +0000 UTC');
    expect(goTime(2n ** 64n - 1n)).toBe('2554-07-21 23:34:33.709551615 +0000 UTC');
  });

  it('reads times', () => {
    expect(parseGoTime('2025-06-15T15:06:40.0000015Z')).toEqual({ kind: 'value', value: 1_750_000_000_000_001_500n });
    expect(parseGoTime('2025-06-15T17:06:40+02:00')).toEqual({ kind: 'value', value: 1_750_000_000_000_000_000n });
    expect(parseGoTime('yesterday').kind).toBe('malformed');
  });

  it('reads truth in all of its spellings and in no other', () => {
    for (const text of ['1', 't', 'T', 'true', 'TRUE', 'True'])
      expect(parseGoBool(text)).toEqual({ kind: 'value', value: true });
    for (const text of ['0', 'f', 'F', 'false', 'FALSE', 'False'])
      expect(parseGoBool(text)).toEqual({ kind: 'value', value: false });
    expect(parseGoBool('yes')).toEqual({
      kind: 'malformed',
      message: 'strconv.ParseBool: parsing "yes": invalid syntax',
    });
  });

  it('reads integers of so many bits', () => {
    expect(parseGoInt('+7', 32)).toEqual({ kind: 'value', value: 7n });
    expect(parseGoInt('-9223372036854775808', 64)).toEqual({ kind: 'value', value: -(2n ** 63n) });
    const range = (text: string) => ({
      kind: 'malformed',
      message: `strconv.ParseInt: parsing "${text}": value out of range`,
    });
    expect(parseGoInt('9223372036854775808', 64)).toEqual(range('9223372036854775808'));
    expect(parseGoInt('2147483648', 32)).toEqual(range('2147483648'));
    expect(parseGoInt('9'.repeat(100_000), 64).kind).toBe('malformed');
    expect(parseGoInt('1.5', 64).kind).toBe('malformed');
  });
});

describe('a time before 1970', () => {
  it('is written as Go does', () => {
    expect(goTime(-616n)).toBe('1969-12-31 23:59:59.999999384 +0000 UTC');
    expect(goTime(-1000n)).toBe('1969-12-31 23:59:59.999999 +0000 UTC');
    expect(goTime(BigInt.asIntN(64, 9_223_372_036_854_776_000n))).toBe('1677-09-21 00:12:43.145224384 +0000 UTC');
  });
});
