import { describe, expect, it } from 'vitest';
import { StoreError } from '../store/client.ts';
import { createSearchGate } from './search-gate.ts';

/** A search that ends when it is told to. */
function pending() {
  let end: (value: string) => void = () => undefined;
  const result = new Promise<string>((resolve) => {
    end = resolve;
  });
  return { run: () => result, end };
}

const never = new AbortController().signal;

describe('a search gate', () => {
  it('lets so many searches work at once, and the next one in when one ends', async () => {
    const gate = createSearchGate({ atOnce: 1, waiting: 1 });
    const first = pending();
    const running = gate.pass(never, first.run);
    let began = false;
    const waiting = gate.pass(never, async () => {
      began = true;
      return 'second';
    });
    await Promise.resolve();
    expect(began).toBe(false);
    first.end('first');
    expect(await Promise.all([running, waiting])).toEqual(['first', 'second']);
    expect(await gate.pass(never, async () => 'third')).toBe('third');
  });

  it('refuses what would have to wait behind too many, as a busy store does', async () => {
    const gate = createSearchGate({ atOnce: 1, waiting: 0 });
    const first = pending();
    const running = gate.pass(never, first.run);
    const refused = gate.pass(never, first.run);
    await expect(refused).rejects.toBeInstanceOf(StoreError);
    await expect(refused).rejects.toMatchObject({ isRetryable: true });
    first.end('first');
    await running;
  });

  it('forgets who leaves while waiting, and gives the place of one that failed to the next', async () => {
    const gate = createSearchGate({ atOnce: 1, waiting: 2 });
    const leaving = new AbortController();
    const first = gate.pass(never, () => Promise.reject(new Error('a bug')));
    const left = gate.pass(leaving.signal, async () => 'left');
    const next = gate.pass(never, async () => 'next');
    leaving.abort(new Error('the client left'));
    await expect(first).rejects.toThrow('a bug');
    await expect(left).rejects.toThrow('the client left');
    expect(await next).toBe('next');
    await expect(gate.pass(AbortSignal.abort(new Error('gone')), async () => 1)).rejects.toThrow('gone');
  });
});
