import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { createSimulatedDisk, type SimulatedDisk } from '../../../test/fault/simulated-disk.ts';
import { createFakeClock, createFakeHost, type FakeClock, type FakeHost } from '../../../test/fixtures/fake-host.ts';
import { createRandom } from '../../../test/fixtures/random.ts';
import type { Batch } from '../../model/batch.ts';
import { emptyResource } from '../../model/resource.ts';
import type { Delivery, EncodedBody, Sink } from '../component.ts';
import type { SpoolLimits } from '../spool/spool.ts';
import { type Output, openOutput } from './output.ts';

const never = new AbortController().signal;

function batchOf(id: number, count = 1): Batch {
  const record = {
    timeNs: 1n,
    stream: '' as const,
    body: `${id}`,
    severity: '',
    traceId: '',
    spanId: '',
    requestId: '',
    attributes: {},
    resource: emptyResource,
  };
  return { signal: 'logs', items: Array.from({ length: count }, () => record) };
}

interface Backend {
  /** Bodies as they came, repeated ones again. */
  readonly received: string[];
  readonly attemptsAtMs: number[];
  mostAtOnce: number;
  answer: (text: string, attempt: number, signal: AbortSignal) => Delivery | Promise<Delivery>;
}

interface Bench {
  readonly clock: FakeClock;
  readonly host: FakeHost<FakeClock>;
  readonly disk: SimulatedDisk;
  readonly backend: Backend;
  open(changes?: {
    limits?: SpoolLimits;
    whenFull?: 'drop_oldest' | 'refuse';
    attemptTimeoutMs?: number;
  }): Promise<Output>;
}

const hosts: FakeHost[] = [];
afterEach(() => {
  for (const host of hosts.splice(0)) host.close();
});

function bench(): Bench {
  const clock = createFakeClock();
  const host = createFakeHost({ clock, name: 'outputs.test' });
  hosts.push(host);
  const disk = createSimulatedDisk();
  const backend: Backend = { received: [], attemptsAtMs: [], mostAtOnce: 0, answer: () => ({ kind: 'delivered' }) };
  let atOnce = 0;
  const sink: Sink = {
    encode: (batch): EncodedBody | undefined =>
      batch.signal === 'logs'
        ? { bytes: Buffer.from(batch.items[0]?.body ?? ''), items: batch.items.length }
        : undefined,
    async send(body, signal) {
      atOnce += 1;
      backend.mostAtOnce = Math.max(backend.mostAtOnce, atOnce);
      backend.attemptsAtMs.push(clock.monotonicMs());
      const text = Buffer.from(body.bytes).toString();
      try {
        const delivery = await backend.answer(text, backend.attemptsAtMs.length, signal);
        if (delivery.kind === 'delivered') backend.received.push(text);
        return delivery;
      } finally {
        atOnce -= 1;
      }
    },
    probe: async () => ({ isHealthy: true, line: '' }),
    close: async () => undefined,
  };
  return {
    clock,
    host,
    disk,
    backend,
    open: ({ limits = { maxBytes: 1 << 20 }, whenFull = 'drop_oldest', ...more } = {}) =>
      openOutput({
        sink,
        host,
        spool: { directory: '/out', fileSystem: disk, limits, whenFull, writer: 1 },
        random: createRandom(1),
        ...more,
      }),
  };
}

const retry = (more: { afterMs?: number; mayHaveArrived?: boolean } = {}): Delivery => ({
  kind: 'retry',
  cause: new Error('http://backend answered 503'),
  ...more,
});

/** Lets the sender work until nothing moves any more. */
async function settle(clock: FakeClock): Promise<void> {
  for (let i = 0; i < 20; i++) await nextTurn();
  await clock.advance(0);
}

async function repeatedOf(host: FakeHost): Promise<number> {
  const metric = await host.meter.registry.getSingleMetric('trawl_output_repeated_items_total')?.get();
  return metric?.values.find((value) => value.labels['component'] === host.name)?.value ?? 0;
}

describe('an output', () => {
  it('delivers what it kept, in order, and counts it', async () => {
    const { clock, host, backend, open } = bench();
    const output = await open();
    for (let i = 0; i < 10; i++) expect(await output.append(batchOf(i, 3), never)).toEqual({ kind: 'kept' });
    await clock.advance(1000);
    await settle(clock);
    expect(backend.received).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
    expect(host.meter.status()[0]).toMatchObject({ component: 'outputs.test', kept: 30, dropped: 0 });
    expect(output.running.health()).toEqual({ isHealthy: true, line: 'delivering; nothing waits' });
    await output.running.stop(never);
    await output.running.stop(never);
  });

  it('says yes to a signal that it does not take, and keeps nothing', async () => {
    const { open } = bench();
    const output = await open();
    expect(await output.append({ signal: 'spans', items: [] }, never)).toEqual({ kind: 'kept' });
    expect(output.spool().bytes).toBe(0);
    await output.running.stop(never);
  });

  it('has only a few bodies under way at once', async () => {
    const { clock, backend, open } = bench();
    const output = await open();
    let release: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    backend.answer = async () => {
      await gate;
      return { kind: 'delivered' };
    };
    for (let i = 0; i < 20; i++) await output.append(batchOf(i), never);
    await clock.advance(1000);
    await settle(clock);
    expect(backend.mostAtOnce).toBe(4);
    release();
    await output.running.stop(never);
    expect(backend.received).toHaveLength(20);
    expect(backend.mostAtOnce).toBe(4);
  });

  it('keeps everything while the backend is down for an hour, tries about twice a minute, and delivers each once after', async () => {
    const { clock, host, backend, open } = bench();
    const output = await open();
    backend.answer = () => retry();
    for (let minute = 0; minute < 60; minute++) {
      await output.append(batchOf(minute), never);
      await clock.advance(60_000);
    }
    expect(backend.attemptsAtMs.length).toBeLessThan(400);
    expect(output.running.health().isHealthy).toBe(false);
    expect(output.running.health().line).toMatch(/^failing for 3\d\d\d s: http:\/\/backend answered 503; \d+ KiB wait/);
    backend.answer = () => ({ kind: 'delivered' });
    await clock.advance(40_000);
    await output.flush(never);
    expect(backend.received).toEqual(Array.from({ length: 60 }, (_, i) => `${i}`));
    expect(host.lost()).toBe(0);
    expect(await repeatedOf(host)).toBe(0);
    await output.running.stop(never);
  });

  it('makes one attempt at a time while the backend fails', async () => {
    const { clock, backend, open } = bench();
    const output = await open();
    for (let i = 0; i < 20; i++) await output.append(batchOf(i), never);
    backend.answer = () => retry({ afterMs: 60_000 });
    await clock.advance(1000);
    await settle(clock);
    expect(backend.attemptsAtMs.length).toBeLessThanOrEqual(4);
    const before = backend.attemptsAtMs.length;
    await clock.advance(600_000);
    expect(backend.attemptsAtMs.length - before).toBeLessThanOrEqual(10);
    expect(backend.attemptsAtMs.length - before).toBeGreaterThanOrEqual(6);
    await output.running.stop(never);
  });

  it('waits as long as Retry-After asks', async () => {
    const { clock, backend, open } = bench();
    const output = await open();
    backend.answer = (_text, attempt) => (attempt === 1 ? retry({ afterMs: 7000 }) : { kind: 'delivered' });
    await output.append(batchOf(1), never);
    await clock.advance(30_000);
    const [first = 0, second = 0] = backend.attemptsAtMs;
    expect(second - first).toBeGreaterThanOrEqual(7000);
    expect(second - first).toBeLessThan(7600);
    await output.running.stop(never);
  });

  it('drops a body that the backend refuses for good, counts it, writes it to dead/, and goes on', async () => {
    const { clock, host, disk, backend, open } = bench();
    const output = await open();
    backend.answer = (text) =>
      text === '1' ? { kind: 'rejected', cause: new Error('answered 400: bad span') } : { kind: 'delivered' };
    for (let i = 0; i < 3; i++) await output.append(batchOf(i, 5), never);
    await clock.advance(1000);
    await output.flush(never);
    expect(backend.received).toEqual(['0', '2']);
    expect(host.lost('rejected_by_backend')).toBe(5);
    const letter: unknown = JSON.parse(disk.contents('/out/dead/current.ndjson').toString());
    expect(letter).toMatchObject({ why: 'answered 400: bad span', items: 5, body: '1' });
    await output.running.stop(never);
  });

  it('counts as repeated what was sent again after an attempt without an answer', async () => {
    const { clock, host, backend, open } = bench();
    const output = await open();
    backend.answer = (_text, attempt) => (attempt === 1 ? retry({ mayHaveArrived: true }) : { kind: 'delivered' });
    await output.append(batchOf(1, 7), never);
    await clock.advance(5000);
    await settle(clock);
    expect(backend.received).toEqual(['1']);
    expect(await repeatedOf(host)).toBe(7);
    await output.running.stop(never);
  });

  it('gives an attempt up that gets no answer, even from a sink that does not heed its signal', async () => {
    const { clock, backend, open } = bench();
    const output = await open({ attemptTimeoutMs: 2000 });
    backend.answer = (_text, attempt) => (attempt === 1 ? new Promise(() => undefined) : { kind: 'delivered' });
    await output.append(batchOf(1), never);
    await clock.advance(10_000);
    await settle(clock);
    expect(backend.received).toEqual(['1']);
    await output.running.stop(never);
  });

  it('stops at once with a dead backend, and goes on with the same data after a restart', async () => {
    const { clock, backend, open } = bench();
    const first = await open();
    backend.answer = () => retry();
    for (let i = 0; i < 5; i++) await first.append(batchOf(i), never);
    await clock.advance(5000);
    await first.running.stop(never);
    expect(await first.append(batchOf(9), never)).toMatchObject({ kind: 'retry' });
    backend.answer = () => ({ kind: 'delivered' });
    const second = await open();
    await second.flush(never);
    expect(backend.received).toEqual(['0', '1', '2', '3', '4']);
    await second.running.stop(never);
  });

  it('stops at its deadline with a backend that never answers', async () => {
    const { clock, backend, open } = bench();
    const output = await open();
    backend.answer = () => new Promise(() => undefined);
    await output.append(batchOf(1), never);
    await clock.advance(1000);
    const deadline = new AbortController();
    const stopped = output.running.stop(deadline.signal);
    await settle(clock);
    deadline.abort(new Error('25 s are over'));
    await stopped;
    backend.answer = () => ({ kind: 'delivered' });
    const again = await open();
    await again.flush(never);
    expect(backend.received).toEqual(['1']);
    await again.running.stop(never);
  });

  it('sends what is left before it stops', async () => {
    const { backend, open } = bench();
    const output = await open();
    for (let i = 0; i < 5; i++) await output.append(batchOf(i), never);
    await output.running.stop(never);
    expect(backend.received).toHaveLength(5);
  });

  it('obeys when_full: what is issued is delivered or counted as dropped', async () => {
    const { clock, host, backend, open } = bench();
    const output = await open({ limits: { maxBytes: 2000, segmentBytes: 300 } });
    backend.answer = () => retry();
    for (let i = 0; i < 200; i++) {
      expect(await output.append(batchOf(i), never)).toEqual({ kind: 'kept' });
      if (i % 20 === 0) await clock.advance(1000);
    }
    expect(output.running.health().isHealthy).toBe(false);
    backend.answer = () => ({ kind: 'delivered' });
    await clock.advance(40_000);
    await output.flush(never);
    expect(host.lost('spool_full')).toBeGreaterThan(100);
    expect(backend.received.length + host.lost('spool_full')).toBe(200);
    expect(output.running.health().line).toContain('data was dropped');
    await output.running.stop(never);
  });

  it('refuses everybody when it is told to refuse', async () => {
    const { clock, host, backend, open } = bench();
    const output = await open({ limits: { maxBytes: 2000, segmentBytes: 300 }, whenFull: 'refuse' });
    backend.answer = () => retry();
    let refused = 0;
    for (let i = 0; i < 200; i++) if ((await output.append(batchOf(i), never)).kind === 'retry') refused += 1;
    backend.answer = () => ({ kind: 'delivered' });
    await clock.advance(40_000);
    await output.flush(never);
    expect(refused).toBeGreaterThan(100);
    expect(backend.received.length + refused).toBe(200);
    expect(host.lost()).toBe(0);
    await output.running.stop(never);
  });

  it('sends at most one segment again after a crash, and counts it', async () => {
    const { clock, host, disk, backend, open } = bench();
    const first = await open();
    backend.answer = (text) => (Number(text) < 3 ? { kind: 'delivered' } : retry());
    for (let i = 0; i < 6; i++) await first.append(batchOf(i), never);
    await clock.advance(1000);
    await settle(clock);
    disk.restart('lose');
    await first.running.stop(AbortSignal.abort());
    backend.answer = () => ({ kind: 'delivered' });
    const second = await open();
    await second.flush(never);
    expect(new Set(backend.received).size).toBe(6);
    expect(await repeatedOf(host)).toBe(6);
    await second.running.stop(never);
  });

  it('survives random failures with exact counts', async () => {
    for (let seed = 0; seed < 20; seed++) {
      const { clock, host, backend, open } = bench();
      const random = createRandom(seed);
      const output = await open();
      backend.answer = () => {
        const dice = random();
        if (dice < 0.3) return retry();
        if (dice < 0.4) return { kind: 'rejected', cause: new Error('no') };
        if (dice < 0.45) throw new Error('a bug in the sink');
        return { kind: 'delivered' };
      };
      for (let i = 0; i < 50; i++) await output.append(batchOf(i), never);
      await clock.advance(2_000_000);
      await settle(clock);
      expect(backend.received.length + host.lost('rejected_by_backend'), `seed ${seed}`).toBe(50);
      expect(new Set(backend.received).size).toBe(backend.received.length);
      await output.running.stop(never);
    }
  });
});
