import { describe, expect, it } from 'vitest';
import { isLoopbackAddress, isLoopbackHost } from './access.ts';
import { createByteBudget } from './byte-budget.ts';
import { acceptsGzip, parseEncoding } from './inflate.ts';
import { mediaTypeOf } from './ingest.ts';
import { createLockout, createRateLimit } from './lockout.ts';
import { matchesPattern, printable } from './not-found.ts';
import { isTraversal, queryOf } from './screen.ts';

describe('a name of loopback', () => {
  it.each([
    'localhost',
    'LOCALHOST:9529',
    'localhost.',
    '127.0.0.1',
    '127.0.0.1:80',
    '127.8.9.10',
    '[::1]',
    '[::1]:9529',
  ])('is %s', (host) => expect(isLoopbackHost(host)).toBe(true));
  it.each([
    undefined,
    '',
    'zipkin',
    'outbound|9411||svc',
    '127.0.0.1.nip.io',
    'x127.0.0.1',
    'localhost.evil.example',
    'evil.example:localhost',
    '127.0.0.1@evil.example',
    '0.0.0.0',
    '2130706433',
    '[::ffff:127.0.0.1]',
    'localhost:9529:9529',
  ])('is not %s', (host) => expect(isLoopbackHost(host)).toBe(false));
});

describe('a loopback address', () => {
  it('may be IPv4, IPv6, or the one in the other, and nothing else', () => {
    expect(['127.0.0.1', '127.255.0.3', '::1', '::ffff:127.0.0.1'].every(isLoopbackAddress)).toBe(true);
    expect(['10.0.0.1', '0.0.0.0', '::', 'fe80::1', '', '1270.0.0.1', undefined].some(isLoopbackAddress)).toBe(false);
  });
});

describe('the lockout', () => {
  it('begins with the tenth failure within a minute and ends with that minute', () => {
    let nowMs = 0;
    const lockout = createLockout(() => nowMs);
    for (let i = 0; i < 9; i += 1) lockout.fail('a');
    expect(lockout.remainingMs('a')).toBe(0);
    nowMs = 30_000;
    lockout.fail('a');
    expect(lockout.remainingMs('a')).toBe(30_000);
    expect(lockout.remainingMs('b')).toBe(0);
    nowMs = 60_000;
    expect(lockout.remainingMs('a')).toBe(0);
    lockout.fail('a');
    expect(lockout.remainingMs('a')).toBe(0);
  });

  it('forgets the oldest of ten thousand peers rather than grow', () => {
    const lockout = createLockout(() => 0, { failures: 1 });
    for (let i = 0; i <= 10_000; i += 1) lockout.fail(`peer ${i}`);
    expect(lockout.remainingMs('peer 0')).toBe(0);
    expect(lockout.remainingMs('peer 1')).toBeGreaterThan(0);
  });
});

describe('the rate limit', () => {
  it('lets five times the rate through at once, and the rate from then on', () => {
    let nowMs = 0;
    const limit = createRateLimit(10, () => nowMs);
    const takeAll = () => {
      let count = 0;
      while (limit.take('a')) count += 1;
      return count;
    };
    expect(takeAll()).toBe(50);
    nowMs = 1_000;
    expect(takeAll()).toBe(10);
    nowMs = 1_000_000;
    expect(takeAll()).toBe(50);
  });
});

describe('the byte budget', () => {
  it('is shared by all, takes nothing that does not fit, and gets back what was taken, once', () => {
    const budget = createByteBudget(100);
    const [first, second] = [budget.lease(), budget.lease()];
    expect([first.grow(60), second.grow(60), second.hasRoomFor(40), second.grow(40), first.grow(1)]).toEqual([
      true,
      false,
      true,
      true,
      false,
    ]);
    first.release();
    first.release();
    expect(budget.usedBytes).toBe(40);
  });
});

describe('headers', () => {
  it('name one coding that is known, or none', () => {
    const parsed = [
      undefined,
      '',
      'gzip',
      ' GZip ',
      'x-gzip',
      'deflate',
      'identity',
      'identity,gzip',
      'br',
      'gzip,deflate',
    ].map(parseEncoding);
    expect(parsed).toEqual([
      ...['identity', 'identity', 'gzip', 'gzip', 'gzip', 'deflate', 'identity', 'gzip'],
      ...[undefined, undefined],
    ]);
  });

  it('take gzip unless they say no', () => {
    expect(['gzip', 'br, gzip;q=0.5', '*', 'GZIP'].every(acceptsGzip)).toBe(true);
    expect([undefined, '', 'identity', 'gzip;q=0', 'gzip; q=0.000', 'br'].some(acceptsGzip)).toBe(false);
  });

  it('give the media type without its parameters', () => {
    expect([undefined, 'application/JSON; charset=utf-8', 'text/plain'].map(mediaTypeOf)).toEqual([
      '',
      'application/json',
      'text/plain',
    ]);
  });
});

describe('paths', () => {
  it('fit patterns part by part', () => {
    expect(matchesPattern('/a/:id/b', '/a/1/b')).toBe(true);
    expect([
      matchesPattern('/a/:id/b', '/a//b'),
      matchesPattern('/a/:id', '/a/1/b'),
      matchesPattern('/a', '/a/'),
    ]).toEqual([false, false, false]);
  });

  it('climb in whatever way they are written', () => {
    expect(['/../x', '/a/..', '/a/..%2fb', '/%2e%2e/x', '/a%5c..%5Cb', '/a%00'].every(isTraversal)).toBe(true);
    expect(['/a..b/c', '/a/b', '/a%2fb', '/...'].some(isTraversal)).toBe(false);
  });

  it('are shown without anything that a terminal would obey, and cut', () => {
    expect(printable('/a\x1b[31m\n\u202e')).toBe('/a?[31m??');
    expect(printable('x'.repeat(500))).toHaveLength(121);
  });

  it('keep their query apart', () => {
    expect([...queryOf('/a?b=c%20d&b=e?f')]).toEqual([
      ['b', 'c d'],
      ['b', 'e?f'],
    ]);
    expect([...queryOf('/a')]).toEqual([]);
  });
});
