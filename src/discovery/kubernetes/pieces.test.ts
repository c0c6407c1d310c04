import { describe, expect, it } from 'vitest';
import { createRandom } from '../../../test/fixtures/random.ts';
import { ApiFailure, explainStatus, retryAfterOf } from './failure.ts';
import { createLineSplitter } from './line-splitter.ts';
import { createPace } from './pace.ts';
import { readPodEvent } from './pod-event.ts';

describe('a stream cut at newlines', () => {
  const split = (chunks: readonly Buffer[], maxLineBytes: number = 1000) => {
    const lines: string[] = [];
    const tooLong: number[] = [];
    const splitter = createLineSplitter({
      maxLineBytes,
      onLine: (line) => lines.push(line),
      onTooLong: (size) => tooLong.push(size),
    });
    for (const chunk of chunks) splitter.push(chunk);
    return { lines, tooLong };
  };

  it('gives the same lines however it comes in pieces, even within a character', () => {
    const text = Buffer.from('{"a":"ä€😀"}\n\nzweite\nlast without end');
    for (let size = 1; size <= text.length; size++) {
      const chunks = Array.from({ length: Math.ceil(text.length / size) }, (_, i) =>
        text.subarray(i * size, (i + 1) * size),
      );
      expect(split(chunks).lines).toEqual(['{"a":"ä€😀"}', 'zweite']);
    }
  });

  it('passes over a line that is too long, says its length, and goes on with the next', () => {
    const long = Buffer.from(`${'x'.repeat(25)}\nok\n`);
    for (const size of [1, 7, 100]) {
      const chunks = Array.from({ length: Math.ceil(long.length / size) }, (_, i) =>
        long.subarray(i * size, (i + 1) * size),
      );
      expect(split(chunks, 10)).toEqual({ lines: ['ok'], tooLong: [25] });
    }
  });

  it('does not change what is kept when the sender uses its memory again', () => {
    const chunk = Buffer.from('begin');
    const lines: string[] = [];
    const splitter = createLineSplitter({ maxLineBytes: 100, onLine: (line) => lines.push(line), onTooLong() {} });
    splitter.push(chunk);
    chunk.fill('x');
    splitter.push(Buffer.from('-end\n'));
    expect(lines).toEqual(['begin-end']);
  });
});

describe('the pace of attempts', () => {
  const unreachable = new ApiFailure('unreachable', 'x');
  const expired = new ApiFailure('expired', 'x');

  it('waits longer and longer at random, never more than 30 s, and begins anew after a success', () => {
    const pace = createPace(() => 0.999_999);
    const delays = Array.from({ length: 9 }, () => Math.round(pace.afterFailure(unreachable)));
    expect(delays).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
    pace.succeeded();
    expect(Math.round(pace.afterFailure(unreachable))).toBe(500);
    expect(createPace(() => 0).afterFailure(unreachable)).toBe(0);
  });

  it('spreads the lists of a thousand agents after a 410 over two seconds, and over more when it does not end', () => {
    const random = createRandom(1);
    const delays = Array.from({ length: 1000 }, () => createPace(random).afterFailure(expired));
    const perTenth = Array.from({ length: 20 }, (_, i) => delays.filter((ms) => Math.floor(ms / 100) === i).length);
    expect(Math.max(...perTenth)).toBeLessThan(90);
    const pace = createPace(() => 0.999_999);
    const storm = Array.from({ length: 6 }, () => Math.round(pace.afterFailure(expired)));
    expect(storm).toEqual([2000, 4000, 8000, 16_000, 30_000, 30_000]);
    pace.succeeded();
    expect(Math.round(pace.afterFailure(expired))).toBe(30_000);
    pace.settled();
    expect(Math.round(pace.afterFailure(expired))).toBe(2000);
  });

  it('never comes back before the server wants it', () => {
    const busy = new ApiFailure('busy', 'x', { retryAfterMs: 5000 });
    const pace = createPace(createRandom(2));
    for (let i = 0; i < 100; i++) expect(pace.afterFailure(busy)).toBeGreaterThanOrEqual(5000);
  });

  it('reads Retry-After as seconds and as a date, and never waits more than five minutes', () => {
    const nowMs = Date.parse('2026-11-21T09:00:00Z');
    expect(retryAfterOf('7', nowMs)).toBe(7000);
    expect(retryAfterOf('Sat, 21 Nov 2026 09:00:10 GMT', nowMs)).toBe(10_000);
    expect(retryAfterOf('Sat, 21 Nov 2026 08:00:00 GMT', nowMs)).toBe(0);
    expect(retryAfterOf('99999999999', nowMs)).toBe(300_000);
    expect(retryAfterOf('soon', nowMs)).toBe(0);
    expect(retryAfterOf(undefined, nowMs)).toBe(0);
  });
});

describe('a line of a watch', () => {
  const read = (value: unknown) =>
    readPodEvent(typeof value === 'string' ? value : JSON.stringify(value), ['a/'], 'the server');
  const pod = {
    metadata: { name: 'x', namespace: 'n', uid: 'u', resourceVersion: '7', annotations: { 'a/1': 'y', b: 'z' } },
  };

  it('is a pod, a removal or a bookmark', () => {
    expect(read({ type: 'ADDED', object: pod })).toMatchObject({
      kind: 'put',
      version: '7',
      pod: { uid: 'u', annotations: { 'a/1': 'y' } },
    });
    expect(read({ type: 'DELETED', object: pod })).toEqual({ kind: 'gone', version: '7', uid: 'u' });
    const bookmark = { kind: 'Pod', metadata: { resourceVersion: '9' }, spec: { containers: null }, status: {} };
    expect(read({ type: 'BOOKMARK', object: bookmark })).toEqual({
      kind: 'bookmark',
      version: '9',
      isInitialEnd: false,
    });
    const end = { metadata: { resourceVersion: '9', annotations: { 'k8s.io/initial-events-end': 'true' } } };
    expect(read({ type: 'BOOKMARK', object: end })).toMatchObject({ isInitialEnd: true });
  });

  it('is a failure of its own kind when it is an ERROR: not each means a list', () => {
    const error = (code: number) => ({ type: 'ERROR', object: { kind: 'Status', code, message: 'm' } });
    const kindOf = (value: unknown): string => {
      try {
        read(value);
        return 'none';
      } catch (failure) {
        return failure instanceof ApiFailure ? failure.kind : String(failure);
      }
    };
    expect([410, 500, 504, 429].map((code) => kindOf(error(code)))).toEqual(['expired', 'server', 'server', 'busy']);
    for (const value of [
      '{',
      '7',
      'null',
      '{"type":"ADDED"}',
      '{"type":"ADDED","object":{}}',
      { type: 'OTHER', object: pod },
    ]) {
      expect(kindOf(value)).toBe('protocol');
    }
  });

  it('never brings anything but a failure of its own, whatever it is', () => {
    const random = createRandom(3);
    const line = JSON.stringify({
      type: 'MODIFIED',
      object: {
        ...pod,
        spec: { containers: [{ name: 'a', ports: [{ containerPort: 1 }] }] },
        status: { podIPs: [{ ip: '::1' }] },
      },
    });
    const parts = ['null', '{}', '[]', '7', '""', '"x"', '"__proto__"', 'true'];
    for (let i = 0; i < 5000; i++) {
      const at = Math.floor(random() * line.length);
      const mutant =
        line.slice(0, at) + parts[Math.floor(random() * parts.length)] + line.slice(at + Math.floor(random() * 12));
      try {
        read(mutant);
      } catch (error) {
        expect(error, mutant).toBeInstanceOf(ApiFailure);
      }
    }
  });
});

describe('a refusal in words', () => {
  it('names the account and the missing verb, or says that no credentials came', () => {
    const said =
      'pods is forbidden: User "system:serviceaccount:a:b" cannot list resource "pods" in API group "" at the cluster scope';
    expect(explainStatus(403, said, 'S')).toMatch(
      /the verb "list" on pods is missing; give system:serviceaccount:a:b a ClusterRole/,
    );
    expect(explainStatus(403, said.replace('system:serviceaccount:a:b', 'system:anonymous'), 'S')).toMatch(
      /^S got no credentials/,
    );
    expect(explainStatus(403, '', 'S')).toBe(
      'S does not permit it (403); give the account a ClusterRole with apiGroups [""], resources ["pods"], verbs ["get", "list", "watch"], by a ClusterRoleBinding',
    );
  });
});
