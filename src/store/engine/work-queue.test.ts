import { describe, expect, it } from 'vitest';
import { createWorkQueue, QueueRefusal } from './work-queue.ts';

const never = new AbortController().signal;

describe('the queue in front of the readers', () => {
  it('gives seats in the order of the asking', async () => {
    const queue = createWorkQueue(['a', 'b'], { maxWaiting: 10, waitTimeoutMs: 1_000 });
    const first = await queue.acquire(never);
    await queue.acquire(never);
    const order: number[] = [];
    const third = queue.acquire(never).then(() => order.push(3));
    const fourth = queue.acquire(never).then(() => order.push(4));
    expect(queue.load()).toEqual({ busy: 2, waiting: 2 });
    queue.release(first);
    await third;
    queue.release(first);
    await fourth;
    expect(order).toEqual([3, 4]);
    queue.release('a');
    queue.release('b');
    expect(queue.load()).toEqual({ busy: 0, waiting: 0 });
  });

  it('refuses at once when too many wait, and those that have waited too long', async () => {
    const queue = createWorkQueue(['a'], { maxWaiting: 1, waitTimeoutMs: 20 });
    await queue.acquire(never);
    const waiting = queue.acquire(never);
    await expect(queue.acquire(never)).rejects.toThrow('1 queries are at work and 1 wait already');
    await expect(waiting).rejects.toThrow(QueueRefusal);
    expect(queue.load()).toEqual({ busy: 1, waiting: 0 });
  });

  it('forgets who has left', async () => {
    const queue = createWorkQueue(['a'], { maxWaiting: 5, waitTimeoutMs: 1_000 });
    const seat = await queue.acquire(never);
    const leaving = new AbortController();
    const waiting = queue.acquire(leaving.signal);
    leaving.abort();
    await expect(waiting).rejects.toThrow('left');
    queue.release(seat);
    expect(await queue.acquire(never)).toBe('a');
  });
});
