import { describe, expect, it } from 'vitest';
import { assertStandsMutants } from '../../../test/contract/decoder-kit.ts';
import { criLog } from '../../../test/contract/decoders.ts';
import { CodecError } from '../codec-error.ts';
import { parseRfc3339Nano } from '../rfc3339.ts';
import { type CriLine, parseCriLine } from './cri-line.ts';

const stamp = '2026-11-21T09:28:25.853123456Z';

function parse(text: string): CriLine {
  return parseCriLine(Buffer.from(text));
}

describe('a CRI line', () => {
  it('gives time, stream, tag and text', () => {
    expect(parse(`${stamp} stderr P some text`)).toMatchObject({
      timeNs: 1_795_253_305_853_123_456n,
      stream: 'stderr',
      isPartial: true,
      text: 'some text',
      hasInvalidUtf8: false,
    });
  });

  it('keeps a carriage return, blanks, and anything else the program wrote', () => {
    expect(parse(`${stamp} stdout F  a b \r\n`).text).toBe(' a b \r');
    expect(parse(`${stamp} stdout F a\nb\n`).text).toBe('a\nb');
  });

  it('may have an empty text, with or without the blank before it, and more behind its tag', () => {
    for (const line of ['F ', 'F', 'F\n', 'F:x ', 'F:x:y \n'])
      expect(parse(`${stamp} stdout ${line}`)).toMatchObject({ text: '', isPartial: false });
    expect(parse(`${stamp} stdout P:x:y z`)).toMatchObject({ text: 'z', isPartial: true });
  });

  it('replaces bytes that are no UTF-8 and says so', () => {
    expect(parseCriLine(Buffer.from(`${stamp} stdout F a\xff`, 'latin1'))).toMatchObject({
      text: 'a\ufffd',
      hasInvalidUtf8: true,
    });
    expect(parse(`${stamp} stdout F a\ufffd`).hasInvalidUtf8).toBe(false);
  });

  it.each([
    ['', 'byte 0: expected a time'],
    ['{"log":"docker"}', 'byte 0: expected a time'],
    [`${'x'.repeat(300_000)}`, 'byte 0: expected a time'],
    [`${stamp} stdin F x`, 'byte 31: expected stdout or stderr, got "stdin F x"'],
    [`${stamp} stdout X x`, 'byte 38: expected the tag P or F, got "X x"'],
    [`${stamp} stdout FF x`, 'byte 38: expected a blank after the tag'],
  ])('is refused with the place and what was expected: %.40s', (text, message) => {
    expect(() => parse(text)).toThrow(CodecError);
    expect(() => parse(text)).toThrow(message);
  });

  it('stands 10,000 mutants', () => {
    expect(assertStandsMutants(criLog, { mutants: 10_000, seed: 48 }).refused).toBeGreaterThan(1000);
  });
});

describe('times', () => {
  const nanos = (text: string) => parseRfc3339Nano(Buffer.from(text), 0, text.length);

  it('are what Date makes of them, to the nanosecond', () => {
    for (const text of [
      '1970-01-01T00:00:00Z',
      '2024-02-29T23:59:59Z',
      '1969-12-31T23:59:59Z',
      '2000-03-01T00:00:00+01:00',
      '2100-02-28T12:00:00-11:30',
      '0001-01-01T00:00:00Z',
      '9999-12-31T23:59:59Z',
    ]) {
      expect(nanos(text), text).toBe(BigInt(Date.parse(text)) * 1_000_000n);
    }
    expect(nanos('1970-01-01T00:00:00.000000001Z')).toBe(1n);
    expect(nanos('1970-01-01T00:00:00.1+00:00')).toBe(100_000_000n);
    expect(nanos('1970-01-01T00:00:00.1234567899Z')).toBe(123_456_789n);
  });

  it.each([
    '2023-02-29T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-04-31T00:00:00Z',
    '2026-11-21T24:00:00Z',
    '2026-11-21T09:28:60Z',
    '2026-11-21T09:28:25',
    '2026-11-21T09:28:25.Z',
    '2026-11-21 09:28:25Z',
    '2026-11-21T09:28:25+0100',
    '2026-11-21T09:28:25Zx',
  ])('do not include %s', (text) => {
    expect(nanos(text)).toBeUndefined();
  });
});
