import { describe, expect, it } from 'vitest';
import { createRandom } from '../../../test/fixtures/random.ts';
import { backoffMs, deliveryOf, meaningOf, parseRetryAfter } from './retry-policy.ts';

const now = Date.UTC(2026, 10, 21, 12, 0, 0);

describe('waiting before the next attempt', () => {
  it('doubles its ceiling from 500 ms to 30 s', () => {
    const ceilings = [1, 2, 3, 4, 5, 6, 7, 8, 100, 1e9].map((failures) => backoffMs(failures, 0.999999));
    expect(ceilings).toEqual([499, 999, 1999, 3999, 7999, 15_999, 29_999, 29_999, 29_999, 29_999]);
    expect(backoffMs(5, 0)).toBe(0);
  });

  it('spreads 1,000 clients over the whole window', () => {
    const random = createRandom(1);
    const tenths = new Array<number>(10).fill(0);
    for (let i = 0; i < 1000; i++) {
      const tenth = Math.floor(backoffMs(7, random()) / 3000);
      tenths[tenth] = (tenths[tenth] ?? 0) + 1;
    }
    expect(Math.min(...tenths)).toBeGreaterThan(60);
    expect(Math.max(...tenths)).toBeLessThan(140);
  });

  it('heeds Retry-After in seconds and as a date, up to 5 minutes, and ignores everything else', () => {
    expect(parseRetryAfter('7', now)).toBe(7000);
    expect(parseRetryAfter(' 0 ', now)).toBe(0);
    expect(parseRetryAfter('1000000000', now)).toBe(300_000);
    expect(parseRetryAfter('9'.repeat(400), now)).toBe(300_000);
    expect(parseRetryAfter('Sat, 21 Nov 2026 12:00:09 GMT', now)).toBe(9000);
    expect(parseRetryAfter('Saturday, 21-Nov-26 12:00:09 GMT', now)).toBe(9000);
    expect(parseRetryAfter('Sat, 21 Nov 2099 12:00:09 GMT', now)).toBe(300_000);
    for (const text of ['-5', '1e9', '1.5', 'soon', '', 'Sat, 21 Nov 2026 11:00:00 GMT', 'Sat, 99 Foo', undefined]) {
      expect(parseRetryAfter(text, now)).toBeUndefined();
    }
  });
});

describe('a status', () => {
  it('means what the backend means by it', () => {
    const meanings = (statuses: readonly number[]) => [...new Set(statuses.map(meaningOf))];
    expect(meanings([200, 202, 204])).toEqual(['delivered']);
    expect(meanings([408, 429, 500, 502, 503, 504, 599])).toEqual(['retry']);
    expect(meanings([400, 413, 415, 422, 501])).toEqual(['rejected']);
    expect(meanings([401, 403, 404, 405, 301, 302, 307, 407])).toEqual(['hold']);
  });

  it('is told with address, status, the text of the answer and what to do', () => {
    const answer = { address: 'http://zipkin:9411/api/v2/spans', text: 'no', retryAfter: '120' };
    const forbidden = deliveryOf({ ...answer, status: 403 }, now);
    expect(forbidden).toMatchObject({ kind: 'retry', afterMs: 120_000 });
    expect(forbidden.kind !== 'delivered' && forbidden.cause.message).toBe(
      'http://zipkin:9411/api/v2/spans answered 403: no; credentials refused: check the headers configured for this output; data is kept, one attempt a minute',
    );
    expect(deliveryOf({ ...answer, status: 401, retryAfter: undefined }, now)).toMatchObject({ afterMs: 60_000 });
    expect(deliveryOf({ ...answer, status: 503, retryAfter: 'x' }, now)).not.toHaveProperty('afterMs');
    expect(deliveryOf({ ...answer, status: 503 }, now)).toMatchObject({ kind: 'retry', afterMs: 120_000 });
    expect(deliveryOf({ ...answer, status: 400 }, now).kind).toBe('rejected');
  });
});
