import { describe, expect, it } from 'vitest';
import { assertStandsMutants } from '../../../test/contract/decoder-kit.ts';
import { criLog } from '../../../test/contract/decoders.ts';
import { CodecError } from '../codec-error.ts';
import { parseRfc3339Nano } from '../rfc3339.ts';
import { type CriLine, parseCriLine } from './cri-line.ts';
import { createPartialJoiner } from './partial-joiner.ts';

const stamp = '2026-11-21T09:28:25.853123456Z';

function parse(text: string): CriLine {
  return parseCriLine(Buffer.from(text));
}

function part(text: string | Buffer, tag: 'P' | 'F', stream = 'stdout'): CriLine {
  return parseCriLine(Buffer.concat([Buffer.from(`${stamp} ${stream} ${tag} `), Buffer.from(text)]));
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

describe('parts of a line', () => {
  it('are joined for each stream by itself, under the stamp of the first', () => {
    const joiner = createPartialJoiner();
    expect(joiner.push(part('a', 'P'), 0)).toBeUndefined();
    expect(joiner.push(part('x', 'P', 'stderr'), 5)).toBeUndefined();
    expect(joiner.waitingSinceMs()).toBe(0);
    expect(joiner.push(part('b', 'F'), 6)).toMatchObject({ text: 'ab', stream: 'stdout', parts: 2, isCut: false });
    expect(joiner.push(part('c', 'F'), 7)).toMatchObject({ text: 'c', parts: 1 });
    expect(joiner.push(part('y', 'F', 'stderr'), 8)).toMatchObject({ text: 'xy', stream: 'stderr' });
    expect(joiner.waitingSinceMs()).toBeUndefined();
  });

  it('may end in the middle of a character', () => {
    const joiner = createPartialJoiner();
    const bytes = Buffer.from('é');
    joiner.push(part(bytes.subarray(0, 1), 'P'), 0);
    expect(joiner.push(part(bytes.subarray(1), 'F'), 0)).toMatchObject({ text: 'é', hasInvalidUtf8: false });
  });

  it('are cut at the limit, and what follows is a line of its own: nothing is lost', () => {
    const joiner = createPartialJoiner(1000);
    const texts: string[] = [];
    for (let i = 0; i < 30; i++) {
      const line = joiner.push(part(String(i % 10).repeat(100), i === 29 ? 'F' : 'P'), 0);
      if (line !== undefined) texts.push(line.text);
    }
    expect(texts.join('')).toHaveLength(3000);
    for (const text of texts) expect(text.length).toBeLessThanOrEqual(1000);
  });

  it('are given up by the caller’s clock', () => {
    const joiner = createPartialJoiner();
    joiner.push(part('old', 'P'), 1000);
    joiner.push(part('new', 'P', 'stderr'), 2000);
    expect(joiner.flushOlderThan(2000)).toMatchObject([{ text: 'old', isCut: true }]);
    expect(joiner.flush()).toMatchObject([{ text: 'new', isCut: true }]);
    expect(joiner.flush()).toEqual([]);
  });
});
