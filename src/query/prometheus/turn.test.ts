import { describe, expect, it } from 'vitest';
import { textOf } from '../../../test/fixtures/answer-text.ts';
import { createMemorySource } from '../../../test/fixtures/memory-samples.ts';
import { createSeries } from '../../model/sample.ts';
import type { SampleSource } from '../promql/engine.ts';
import { createSearchGate } from '../search-gate.ts';
import {
  createPrometheusApi,
  defaultPrometheusLimits,
  type PrometheusApi,
  type PrometheusApiOptions,
} from './index.ts';

const apiOf = (options: Partial<PrometheusApiOptions>): PrometheusApi =>
  createPrometheusApi({ samples: createMemorySource([]), now: () => 0, ...options });

const given = (parameters: Record<string, string>) => (name: string) => parameters[name] ?? '';

async function ask(api: PrometheusApi, parameters: Record<string, string>, signal = new AbortController().signal) {
  const { status, body } = await (parameters['step'] === undefined ? api.query : api.queryRange)(
    given(parameters),
    signal,
  );
  return { status, body: JSON.parse(await textOf(body)) };
}

/** Reads that never end by themselves, and the signals that they were given. */
function stuck(): { readonly samples: SampleSource; readonly signals: AbortSignal[] } {
  const signals: AbortSignal[] = [];
  const select: SampleSource['select'] = (_selection, signal) => {
    signals.push(signal);
    return new Promise((_resolve, reject) => {
      if (signal.aborted) reject(signal.reason);
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
  };
  return { samples: { select }, signals };
}

describe('a query among others', () => {
  it('waits for its turn, and when its time is over while it waits says so as Prometheus does', async () => {
    const { samples, signals } = stuck();
    const api = apiOf({ samples, gate: createSearchGate({ atOnce: 1, waiting: 1 }) });
    const leaving = new AbortController();
    const first = ask(api, { query: 'up' }, leaving.signal);
    // By then it is no small query any more, and has the only place of the large ones.
    await new Promise((resolve) => setTimeout(resolve, 250));
    const second = await ask(api, { query: 'down', timeout: '400ms' });
    expect(second).toEqual({
      status: 503,
      body: {
        status: 'error',
        errorType: 'timeout',
        error: 'query timed out in query queue: [query] max_concurrent large queries are at work already',
      },
    });
    leaving.abort(new Error('the client left'));
    expect(await first).toEqual({
      status: 499,
      body: { status: 'error', errorType: 'canceled', error: 'query was canceled in query execution' },
    });
    // It ended in the store as well, as the other did when it was found not to be small.
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
  });

  it('is canceled in the queue where its client leaves there', async () => {
    const { samples } = stuck();
    const api = apiOf({ samples, gate: createSearchGate({ atOnce: 1, waiting: 1 }) });
    const all = new AbortController();
    const first = ask(api, { query: 'up' }, all.signal);
    await new Promise((resolve) => setTimeout(resolve, 250));
    const second = ask(api, { query: 'down' }, all.signal);
    await new Promise((resolve) => setTimeout(resolve, 250));
    all.abort(new Error('the client left'));
    expect((await first).body.error).toBe('query was canceled in query execution');
    expect(await second).toMatchObject({ status: 499, body: { error: 'query was canceled in query queue' } });
  });

  it('is told to come again where too many wait, while what is wrong with a query is told at once', async () => {
    const { samples } = stuck();
    const api = apiOf({ samples, gate: createSearchGate({ atOnce: 1, waiting: 0 }) });
    const leaving = new AbortController();
    const first = ask(api, { query: 'up' }, leaving.signal);
    await new Promise((resolve) => setTimeout(resolve, 250));
    expect(await ask(api, { query: 'down' })).toMatchObject({ status: 503, body: { errorType: 'unavailable' } });
    expect(await ask(api, { query: 'up{' })).toMatchObject({ status: 400, body: { errorType: 'bad_data' } });
    // What needs nothing of the store is answered all the while.
    expect(await ask(api, { query: '1' })).toMatchObject({ status: 200 });
    leaving.abort(new Error('the client left'));
    await first;
  });

  it('waits where it was large before, and not where it was small', async () => {
    const release: (() => void)[] = [];
    const samples: SampleSource = {
      select: ({ matchers }) =>
        matchers[0]?.value === 'small'
          ? Promise.resolve([])
          : new Promise((resolve) => release.push(() => resolve([]))),
    };
    const api = apiOf({ samples, gate: createSearchGate({ atOnce: 1, waiting: 5 }) });
    await ask(api, { query: 'small' });
    const asked = ['a', 'b', 'c'].map((query) => ask(api, { query }));
    // The third of unknown size waits until the first two are told from small ones; what is known to be small does not.
    expect((await ask(api, { query: 'small' })).status).toBe(200);
    expect(release).toHaveLength(2);
    for (let i = 0; i < 30 && release.length < 6; i++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      for (const go of release.splice(0)) go();
    }
    expect((await Promise.all(asked)).map(({ status }) => status)).toEqual([200, 200, 200]);
  });

  it('is not known to be small or large because its client left it early', async () => {
    const gate = createSearchGate({ atOnce: 1, waiting: 5 });
    const known: unknown[] = [];
    const watched: typeof gate = {
      ...gate,
      begin(options, run) {
        known.push(options.known);
        return gate.begin(options, run);
      },
    };
    const { samples, signals } = stuck();
    const api = apiOf({ samples, gate: watched });
    const leaving = [new AbortController(), new AbortController(), new AbortController()];
    const asked = leaving.map(({ signal }) => ask(api, { query: 'up' }, signal));
    while (signals.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    // Two are at work, and one waits for its trial.
    for (const each of leaving) each.abort(new Error('the client left'));
    expect((await Promise.all(asked)).map(({ status }) => status)).toEqual([499, 499, 499]);
    await ask(api, { query: 'up' }, AbortSignal.timeout(20));
    expect(known).toEqual([undefined, undefined, undefined, undefined]);
  });

  it.each([
    ['0', '0s'],
    ['-1', '-1s'],
    ['0s', '0s'],
  ])('is refused with a timeout of %s', async (timeout, shown) => {
    const error = `invalid parameter "timeout": timeout must be positive, got ${shown}`;
    expect(await ask(apiOf({}), { query: '1', timeout })).toEqual({
      status: 400,
      body: { status: 'error', errorType: 'bad_data', error },
    });
  });

  it('meets the limit of samples in the words of Prometheus', async () => {
    const limits = { ...defaultPrometheusLimits, maxPoints: 10 };
    expect(await ask(apiOf({ limits }), { query: 'vector(1) + vector(2)', start: '0', end: '100', step: '1' })).toEqual(
      {
        status: 422,
        body: {
          status: 'error',
          errorType: 'execution',
          error: 'query processing would load too many samples into memory in query execution',
        },
      },
    );
  });
});

describe('a large answer', () => {
  const many = Array.from({ length: 40 }, (_, i) => ({
    series: createSeries([
      ['__name__', 'many'],
      ['i', `${i}`.padStart(2, '0')],
      ['text', 'ä"\\\n'],
    ]),
    samples: [0, 1000].map((timestampMs) => ({ timestampMs, value: i / 7, isStale: false })),
  }));
  const range = { query: 'many', start: '0.5', end: '299.5', step: '0.25' };

  it('comes in chunks that are together what a small one would be', async () => {
    const api = apiOf({ samples: createMemorySource(many) });
    const { body } = await api.queryRange(given(range), new AbortController().signal);
    expect(typeof body === 'string' || Buffer.isBuffer(body)).toBe(false);
    const { data } = JSON.parse(await textOf(body));
    expect(data.result).toHaveLength(40);
    expect(data.result[39].metric).toEqual({ __name__: 'many', i: '39', text: 'ä"\\\n' });
    const { values } = data.result[39];
    expect(values).toHaveLength(1197);
    expect([values[0], values[2], values.at(-1)]).toEqual([
      [0.5, String(39 / 7)],
      [1, String(39 / 7)],
      [299.5, String(39 / 7)],
    ]);
  });

  it('keeps its place until it is sent, and gives it up when its client leaves or its time is over', async () => {
    const api = apiOf({ samples: createMemorySource(many), gate: createSearchGate({ atOnce: 1, waiting: 5 }) });
    const leaving = new AbortController();
    const left = await api.queryRange(given(range), leaving.signal);
    const waiting = ask(api, { ...range, query: 'many + 0' });
    expect((await ask(api, { query: '1' })).status).toBe(200);
    expect(await Promise.race([waiting, new Promise((resolve) => setTimeout(resolve, 20, 'waits'))])).toBe('waits');
    leaving.abort(new Error('the client left'));
    expect((await waiting).status).toBe(200);
    await expect(textOf(left.body)).rejects.toThrow('the query was canceled');

    const sent = await api.queryRange(given(range), new AbortController().signal);
    const next = ask(api, { ...range, query: 'many + 0' });
    await textOf(sent.body);
    expect((await next).status).toBe(200);

    const slow = await api.queryRange(given({ ...range, timeout: '300ms' }), new AbortController().signal);
    expect((await ask(api, { ...range, query: 'many + 0' })).status).toBe(200);
    // It is still sent to whoever reads it late.
    expect(JSON.parse(await textOf(slow.body)).status).toBe('success');
  });
});

describe('stats', () => {
  it('are there for whom asks for them, in the shape of Prometheus', async () => {
    const samples = createMemorySource([
      { series: createSeries([['__name__', 'up']]), samples: [{ timestampMs: 1000, value: 1, isStale: false }] },
    ]);
    const api = apiOf({ samples });
    const { body } = await ask(api, { query: 'up', time: '2', stats: 'all' });
    const seconds = expect.any(Number);
    expect(body.data).toEqual({
      resultType: 'vector',
      result: [{ metric: { __name__: 'up' }, value: [2, '1'] }],
      stats: {
        timings: {
          evalTotalTime: seconds,
          resultSortTime: 0,
          queryPreparationTime: seconds,
          innerEvalTime: seconds,
          execQueueTime: seconds,
          execTotalTime: seconds,
        },
        samples: { totalQueryableSamples: 1, peakSamples: 2 },
      },
    });
    expect((await ask(api, { query: 'up', time: '2' })).body.data).not.toHaveProperty('stats');
    expect((await ask(api, { query: '1', start: '0', end: '1', step: '1', stats: 'true' })).body.data).toHaveProperty(
      'stats',
    );
  });
});

describe('the times of a query', () => {
  it.each(['-292273086-05-16T16:47:06Z', '292277025-08-18T07:12:54.999999999Z'])(
    'may be %s, which clients of Prometheus send for the beginning and the end',
    async (time) => {
      expect((await ask(apiOf({}), { query: '1', time })).status).toBe(200);
    },
  );

  it.each(['15', '15.0', '1.5e1', '15s', '0m15s', '15000ms'])('have a step of %s', async (step) => {
    const { body } = await ask(apiOf({}), { query: '1', start: '0', end: '1970-01-01T00:00:30Z', step });
    expect(body.data.result[0].values.map(([at]: [number]) => at)).toEqual([0, 15, 30]);
  });
});
