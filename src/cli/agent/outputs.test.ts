import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createFakeClock, createFakeHost, type FakeClock, type FakeHost } from '../../../test/fixtures/fake-host.ts';
import type { Batch } from '../../model/batch.ts';
import { emptyResource } from '../../model/resource.ts';
import type { OutputKind, Sink } from '../../pipeline/component.ts';
import { createOutputs, type Outputs } from './outputs.ts';

const signal = new AbortController().signal;
const config = { url: 'http://backend:9411/spans', timeout: 1_000, max_spool_bytes: 1 << 20, when_full: 'refuse' };
const batch: Batch = {
  signal: 'logs',
  items: [
    {
      timeNs: 1n,
      stream: 'stdout',
      body: 'a line',
      severity: '',
      traceId: '',
      spanId: '',
      requestId: '',
      attributes: {},
      resource: emptyResource,
    },
  ],
};

const hosts: FakeHost[] = [];
afterEach(() => {
  for (const host of hosts.splice(0)) host.close();
});

function setUp(): { clock: FakeClock; outputs: Outputs; start(sink: Partial<Sink>): ReturnType<Outputs['start']> } {
  const clock = createFakeClock();
  const host = createFakeHost({ clock, name: 'outputs.test' });
  hosts.push(host);
  const outputs = createOutputs({
    dataDirectory: { path: host.dataDirectory, writer: 1, close: async () => undefined },
    meter: host.meter,
    hostFor: () => host,
  });
  const kindOf = (sink: Partial<Sink>): OutputKind<unknown> => ({
    type: 'test',
    summary: 'A sink of the test.',
    config: z.unknown(),
    connect: () => ({
      encode: ({ items }) => ({ bytes: Buffer.from('body'), items: items.length }),
      send: async () => ({ kind: 'delivered' }),
      probe: async () => ({ isHealthy: true, line: '' }),
      close: async () => undefined,
      ...sink,
    }),
  });
  return {
    clock,
    outputs,
    start: (sink) => outputs.start({ kind: kindOf(sink), name: 'outputs.test', source: 'test.conf:1', config }),
  };
}

/** Turns the event loop, with the spool's real files in it, until something is so. */
async function until(clock: FakeClock, isTrue: () => boolean): Promise<void> {
  for (let turn = 0; turn < 2_000 && !isTrue(); turn++) {
    await clock.advance(1);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  expect(isTrue()).toBe(true);
}

describe('an output', () => {
  it('can be started again after a stop that threw', async () => {
    const { start } = setUp();
    const first = await start({ close: () => Promise.reject(new Error('the connection hangs')) });
    await expect(first.stop(AbortSignal.abort())).rejects.toThrow('the connection hangs');
    const second = await start({});
    await expect(start({})).rejects.toThrow('two [[outputs.test]] send to backend:9411/spans; remove one of them');
    await second.stop(AbortSignal.abort());
  });

  it('leaves it to the sink to say that its timeout has passed, and ends the attempt a few seconds later', async () => {
    const { clock, outputs, start } = setUp();
    let startedAtMs: number | undefined;
    let endedAtMs: number | undefined;
    const running = await start({
      send: (_body, attempt) =>
        new Promise((resolve) => {
          startedAtMs ??= clock.monotonicMs();
          attempt.addEventListener('abort', () => {
            endedAtMs ??= clock.monotonicMs();
            resolve({ kind: 'retry', cause: new Error('aborted') });
          });
        }),
    });
    const [output] = outputs.destinations();
    void output?.append(batch, signal);
    await until(clock, () => startedAtMs !== undefined);
    await until(clock, () => clock.sleepers() > 0);
    await clock.advance(config.timeout + 2_000);
    expect(endedAtMs).toBeUndefined();
    await clock.advance(10_000);
    expect(endedAtMs).toBeDefined();
    await running.stop(AbortSignal.abort());
  });
});
