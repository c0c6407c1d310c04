/** What every kind of output must pass: `describeOutput({ kind, ... })` in a test file beside the kind. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { inspect } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import type { Batch, Signal } from '../../src/model/batch.ts';
import type { EncodedBody, OutputKind, Sink } from '../../src/pipeline/component.ts';
import { type Output, openOutput } from '../../src/pipeline/delivery/output.ts';
import { realFileSystem } from '../../src/pipeline/file-system.ts';
import { createFakeHost, type FakeHost, realClock, until } from '../fixtures/fake-host.ts';
import { createRandom } from '../fixtures/random.ts';
import { type BackendAnswer, type BackendRequest, type FakeBackend, openFakeBackend } from './fake-backend.ts';
import { essenceOf, numberedBatch } from './model-items.ts';

export interface OutputContract<Config> {
  readonly kind: OutputKind<Config>;
  /** What the output takes; of the rest it must encode nothing. */
  readonly signals: readonly [Signal, ...Signal[]];
  /** Keys of a configuration that sends to a backend at `origin`, e.g. `http://127.0.0.1:1234`. */
  config(origin: string): Readonly<Record<string, unknown>>;
  /** Keys that make the output show `secret` to the backend, e.g. `{ headers: { 'x-key': secret } }`. */
  secretConfig(secret: string): Readonly<Record<string, unknown>>;
  /** The status with which a backend says that it took everything. */
  readonly takeStatus: number;
  /** What a backend was sent, as model items again; nothing for a request that carries no data. */
  read(request: BackendRequest): readonly Batch[];
}

interface StageOptions {
  readonly keys?: Readonly<Record<string, unknown>>;
  readonly answer?: (request: BackendRequest) => BackendAnswer;
  /** What this stage goes on with: a backend, and a host whose spool it takes over. */
  readonly after?: { readonly backend: FakeBackend; readonly host?: FakeHost };
  readonly maxBytes?: number;
  readonly whenFull?: 'drop_oldest' | 'refuse';
}

interface Stage {
  readonly backend: FakeBackend;
  readonly host: FakeHost;
  readonly sink: Sink;
  readonly output: Output;
}

const secret = 'tr4wl-secret-value';
const querySecret = 'qu3ry-secret-value';
/** So much of a secret is too much. */
const telling = [secret.slice(0, 8), querySecret.slice(0, 8), Buffer.from(secret.slice(0, 6)).toString('base64')];
const openFds = (): number => readdirSync('/proc/self/fd').length;
const numbers = (count: number, from = 1): number[] => Array.from({ length: count }, (_, i) => from + i);
/** For a test that hangs rather than fails. */
const soon = (): AbortSignal => AbortSignal.timeout(15_000);
const take: BackendAnswer = { kind: 'take' };
const refuse = (status: number, headers: Readonly<Record<string, string>> = {}): BackendAnswer => ({
  kind: 'refuse',
  status,
  headers,
  text: 'because\r\n\u001b[31mI say so',
});

/** Runs the contract. */
export function describeOutput<Config>(contract: OutputContract<Config>): void {
  const { kind, signals } = contract;
  const [signal] = signals;
  let cleanUp: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const close of cleanUp.reverse()) await close();
    cleanUp = [];
  });

  const openBackend = async (): Promise<FakeBackend> => {
    const backend = await openFakeBackend(contract.takeStatus);
    cleanUp.push(() => backend.close());
    return backend;
  };
  const openHost = (): FakeHost => {
    const host = createFakeHost({ clock: realClock, name: `outputs.${kind.type}` });
    cleanUp.push(async () => host.close());
    return host;
  };
  const connect = (backend: FakeBackend, host: FakeHost, keys: Readonly<Record<string, unknown>> = {}): Sink => {
    const sink = kind.connect(kind.config.parse({ ...contract.config(backend.origin), ...keys }), host);
    cleanUp.push(() => sink.close());
    return sink;
  };
  const open = (sink: Sink, host: FakeHost, options: StageOptions & { readonly directory: string }): Promise<Output> =>
    openOutput({
      sink,
      host,
      spool: {
        directory: options.directory,
        fileSystem: realFileSystem,
        limits: { maxBytes: options.maxBytes ?? 1 << 24, segmentAgeMs: 10 },
        whenFull: options.whenFull ?? 'drop_oldest',
        writer: 1,
      },
      // Waits between attempts then grow from 0 to 30 ms.
      random: () => 0.001,
    });
  const stage = async (options: StageOptions = {}): Promise<Stage> => {
    const backend = options.after?.backend ?? (await openBackend());
    if (options.answer !== undefined) backend.answer = options.answer;
    const host = openHost();
    const sink = connect(backend, host, options.keys);
    const directory = join((options.after?.host ?? host).dataDirectory, 'spool');
    const output = await open(sink, host, { ...options, directory });
    cleanUp.push(() => output.running.stop(AbortSignal.abort()));
    return { backend, host, sink, output };
  };
  /** A secret where the contract has it, and another one in the address's query. */
  const withSecrets = ({ origin }: FakeBackend): Readonly<Record<string, unknown>> => ({
    ...contract.secretConfig(secret),
    url: `${contract.config(origin)['url']}?token=${querySecret}`,
  });
  const encode = (sink: Sink, ids: readonly number[]): EncodedBody => {
    const body = sink.encode(numberedBatch(signal, ids));
    if (body === undefined) throw new Error(`${kind.type} encodes no ${signal}`);
    return body;
  };
  /** The essences of what was sent in exchanges that were answered so. */
  const itemsOf = ({ exchanges }: FakeBackend, ...answers: BackendAnswer['kind'][]): string[] =>
    exchanges
      .filter(({ answer }) => answers.includes(answer.kind))
      .flatMap(({ request }) => contract.read(request).flatMap(essenceOf));
  const essences = (ids: readonly number[]): readonly string[] => essenceOf(numberedBatch(signal, ids));
  const keptOf = (host: FakeHost): number =>
    host.meterCalls.reduce((sum, call) => sum + (call.kind === 'kept' ? call.count : 0), 0);
  const repeatedOf = async ({ meter, name }: FakeHost): Promise<number> => {
    const metric = await meter.registry.getSingleMetric('trawl_output_repeated_items_total')?.get();
    return metric?.values.find(({ labels }) => labels['component'] === name)?.value ?? 0;
  };
  const append = async ({ output }: Stage, ids: readonly number[]): Promise<void> => {
    expect(await output.append(numberedBatch(signal, ids), soon())).toEqual({ kind: 'kept' });
  };

  describe(`the output ${kind.type}`, () => {
    it('describes itself, has the keys that delivery needs, and refuses unknown ones by name', async () => {
      expect(kind.type).toMatch(/^[a-z][a-z0-9_]*$/);
      expect(kind.summary).toMatch(/^[A-Z].*\.$/);
      const keys = contract.config('http://127.0.0.1:1');
      expect(kind.config.parse(keys)).toMatchObject({
        url: expect.stringMatching('127.0.0.1'),
        timeout: expect.any(Number),
        max_spool_bytes: 2 ** 30,
        when_full: 'drop_oldest',
      });
      const refused = kind.config.safeParse({ ...keys, no_such_key: 1 });
      expect(refused.success).toBe(false);
      expect(JSON.stringify(refused.error?.issues)).toContain('no_such_key');
    });

    it('does no I/O before it sends: not when it is connected, not when it encodes', async () => {
      const [backend, host] = [await openBackend(), openHost()];
      const before = openFds();
      const sink = connect(backend, host);
      const body = encode(sink, [1]);
      await nextTurn();
      expect(openFds()).toBe(before);
      expect(backend.connections()).toBe(0);
      expect(encode(sink, [1])).toEqual(body);
      await Promise.all([sink.close(), sink.close()]);
    });

    it('takes its own signals, says how many items a body has, and leaves the others', async () => {
      const sink = connect(await openBackend(), openHost());
      for (const each of ['spans', 'samples', 'logs'] as const) {
        const body = sink.encode(numberedBatch(each, numbers(3)));
        expect(body?.items, each).toBe(signals.includes(each) ? 3 : undefined);
      }
    });

    it('starts and stops twice, gives everything back, and takes a second stop of the same', async () => {
      const [backend, host] = [await openBackend(), openHost()];
      const before = openFds();
      for (let round = 0; round < 2; round++) {
        const directory = join(host.dataDirectory, 'spool');
        const output = await open(connect(backend, host), host, { directory });
        expect(await output.append(numberedBatch(signal, [round + 1]), soon())).toEqual({ kind: 'kept' });
        expect(output.running.health()).toMatchObject({ isHealthy: true, line: expect.stringMatching(/./) });
        await Promise.all([output.running.stop(soon()), output.running.stop(soon())]);
        await output.running.stop(soon());
      }
      expect(itemsOf(backend, 'take')).toEqual(essences([1, 2]));
      await backend.close();
      await until('all descriptors are given back', () => openFds() < before, 3000);
    });

    it.each(signals)('delivers %s once, and they are the same on the other side', async (each) => {
      const { backend, host, output } = await stage();
      const sent = [numbers(1), numbers(50, 2), numbers(3, 52)].map((ids) => numberedBatch(each, ids));
      for (const batch of sent) expect(await output.append(batch, soon())).toEqual({ kind: 'kept' });
      await output.flush(soon());
      expect(itemsOf(backend, 'take').sort()).toEqual(sent.flatMap(essenceOf).sort());
      expect(keptOf(host)).toBe(54);
      expect([host.lost(), await repeatedOf(host)]).toEqual([0, 0]);
      expect(host.meterCalls.every((call) => call.kind !== 'kept' || call.signal === each)).toBe(true);
    });

    it('ends an attempt when it is told to, and makes none when it was told before', async () => {
      const { backend, sink } = await stage({ answer: () => ({ kind: 'hang' }) });
      expect(await sink.send(encode(sink, [1]), AbortSignal.abort(new Error('stop')))).toMatchObject({ kind: 'retry' });
      expect(backend.exchanges).toHaveLength(0);
      const told = new AbortController();
      const sending = sink.send(encode(sink, [2]), told.signal);
      await until('the backend has the request', () => backend.exchanges.length === 1);
      told.abort(new Error('stop'));
      expect(await sending).toMatchObject({ kind: 'retry', mayHaveArrived: true });
    });

    it('stops by its deadline although the backend never answers, and goes on with the same data after a restart', async () => {
      const first = await stage({ answer: () => ({ kind: 'hang' }) });
      await append(first, numbers(3));
      await until('the backend has a request', () => first.backend.exchanges.length > 0);
      const startedMs = performance.now();
      await first.output.running.stop(AbortSignal.timeout(100));
      expect(performance.now() - startedMs).toBeLessThan(5000);
      const second = await stage({ after: first, answer: () => take });
      await second.output.flush(soon());
      expect(itemsOf(second.backend, 'take')).toEqual(essences(numbers(3)));
      // Nobody knows whether the first attempt arrived.
      expect(await repeatedOf(second.host)).toBe(3);
    });

    it.each([429, 503])('sends again what was answered %d, and counts each item once', async (status) => {
      let refusals = 5;
      const set = await stage({ answer: () => (refusals-- > 0 ? refuse(status) : take) });
      for (const id of numbers(10)) await append(set, [id]);
      await set.output.flush(soon());
      expect(itemsOf(set.backend, 'take').sort()).toEqual([...essences(numbers(10))].sort());
      expect(keptOf(set.host)).toBe(10);
      // It said that it did not take them, so nothing was given twice.
      expect([set.host.lost(), await repeatedOf(set.host)]).toEqual([0, 0]);
    });

    it('waits as long as Retry-After asks', async () => {
      const set = await stage();
      for (const status of [429, 503]) {
        set.backend.answer = () => refuse(status, { 'retry-after': '7' });
        expect(await set.sink.send(encode(set.sink, [1]), soon())).toMatchObject({ kind: 'retry', afterMs: 7000 });
      }
      const before = set.backend.exchanges.length;
      set.backend.answer = () => (set.backend.exchanges.length === before ? refuse(503, { 'retry-after': '1' }) : take);
      await append(set, [1]);
      await set.output.flush(soon());
      const [refused, taken] = set.backend.exchanges.slice(before);
      // Timers may be early by a millisecond.
      expect((taken?.atMs ?? 0) - (refused?.atMs ?? 0)).toBeGreaterThan(990);
    });

    it('gives up what the backend refuses for good, counts it exactly, and goes on', async () => {
      const bad = new Set(essences([3, 4, 5]));
      const set = await stage({
        answer: (request) =>
          contract.read(request).some((batch) => essenceOf(batch).some((item) => bad.has(item))) ? refuse(400) : take,
      });
      for (const ids of [[1, 2], [3, 4, 5], [6]]) await append(set, ids);
      await set.output.flush(soon());
      expect(itemsOf(set.backend, 'take').sort()).toEqual([...essences([1, 2, 6])].sort());
      expect(itemsOf(set.backend, 'refuse')).toEqual(essences([3, 4, 5]));
      expect(keptOf(set.host)).toBe(3);
      expect([set.host.lost('rejected_by_backend'), set.host.lost()]).toEqual([3, 3]);
    });

    it('accounts for every item while the backend fails in every way at random', async () => {
      const seed = Math.floor(Math.random() * 2 ** 32);
      const random = createRandom(seed);
      const dice: readonly BackendAnswer[] = [
        refuse(503),
        refuse(429, { 'retry-after': '0' }),
        refuse(400),
        { kind: 'break' },
        { kind: 'take_and_break' },
      ];
      const set = await stage({ answer: () => dice[Math.floor(random() * 10)] ?? take });
      let produced = 0;
      for (let round = 0; round < 40; round++) {
        const ids = numbers(1 + Math.floor(random() * 4), produced + 1);
        produced += ids.length;
        await append(set, ids);
      }
      await set.output.flush(soon());
      const { backend, host } = set;
      const rejected = backend.exchanges.flatMap(({ request, answer }) =>
        answer.kind === 'refuse' && answer.status === 400 ? contract.read(request).flatMap(essenceOf) : [],
      );
      const delivered = itemsOf(backend, 'take');
      expect([...delivered, ...rejected].sort(), `seed ${seed}`).toEqual([...essences(numbers(produced))].sort());
      expect(keptOf(host), `seed ${seed}`).toBe(delivered.length);
      expect(host.lost('rejected_by_backend'), `seed ${seed}`).toBe(rejected.length);
      expect(host.lost(), `seed ${seed}`).toBe(rejected.length);
      expect(await repeatedOf(host), `seed ${seed}`).toBe(itemsOf(backend, 'break', 'take_and_break').length);
    });

    it('delivers everything once the backend is back, and counts what it may have given twice', async () => {
      const set = await stage();
      const { backend, host, output } = set;
      await backend.close();
      for (const id of numbers(20)) await append(set, [id]);
      await until('health says so', () => !output.running.health().isHealthy);
      expect(output.running.health().line).toContain(new URL(backend.origin).host);
      expect([keptOf(host), host.lost()]).toEqual([0, 0]);
      await backend.open();
      await output.flush(soon());
      expect(itemsOf(backend, 'take').sort()).toEqual([...essences(numbers(20))].sort());
      expect([keptOf(host), host.lost(), await repeatedOf(host)]).toEqual([20, 0, 0]);
      expect(output.running.health().isHealthy).toBe(true);
      let breaks = 3;
      backend.answer = () => (breaks-- > 0 ? { kind: 'take_and_break' } : take);
      for (const id of numbers(10, 21)) await append(set, [id]);
      await output.flush(soon());
      expect(itemsOf(backend, 'take').sort()).toEqual([...essences(numbers(30))].sort());
      expect([keptOf(host), host.lost()]).toEqual([30, 0]);
      expect(await repeatedOf(host)).toBe(itemsOf(backend, 'take_and_break').length);
    });

    it.each(['drop_oldest', 'refuse'] as const)(
      'obeys when_full = "%s" while the backend is down',
      async (whenFull) => {
        const probe = connect(await openBackend(), openHost());
        const set = await stage({ whenFull, maxBytes: 20 * encode(probe, numbers(5)).bytes.byteLength });
        const { backend, host, output } = set;
        await backend.close();
        let refused = 0;
        for (let round = 0; round < 60; round++) {
          const outcome = await output.append(numberedBatch(signal, numbers(5, 1 + 5 * round)), soon());
          if (outcome.kind === 'retry') refused += 5;
          else expect(outcome).toEqual({ kind: 'kept' });
        }
        expect(output.running.health().isHealthy).toBe(false);
        await backend.open();
        await output.flush(soon());
        const delivered = itemsOf(backend, 'take');
        expect(new Set(delivered).size).toBe(delivered.length);
        expect(delivered.length + (whenFull === 'refuse' ? refused : host.lost('spool_full'))).toBe(300);
        expect(delivered.length).toBeGreaterThan(0);
        expect(delivered.length).toBeLessThan(200);
        expect(keptOf(host)).toBe(delivered.length);
        expect(host.lost()).toBe(whenFull === 'refuse' ? 0 : host.lost('spool_full'));
        if (whenFull === 'drop_oldest') {
          expect(delivered).toContain(essences([300])[0]);
          expect(refused).toBe(0);
          expect(output.running.health()).toMatchObject({ isHealthy: false, line: expect.stringContaining('dropped') });
        } else expect(delivered).toContain(essences([1])[0]);
      },
    );

    it('proves address and credentials without sending data', async () => {
      const backend = await openBackend();
      backend.answer = ({ headers }) => (shows(headers, secret) ? take : refuse(401));
      const known = await connect(backend, openHost(), contract.secretConfig(secret)).probe(soon());
      expect(known).toMatchObject({ isHealthy: true, line: expect.stringContaining(new URL(backend.origin).host) });
      const stranger = await connect(backend, openHost()).probe(soon());
      expect(stranger).toMatchObject({ isHealthy: false, line: expect.stringContaining('credentials') });
      expect(backend.exchanges.map(({ answer }) => answer.kind)).toEqual(['take', 'refuse']);
      for (const answer of [refuse(404), refuse(503), { kind: 'break' } as const]) {
        backend.answer = () => answer;
        const { isHealthy, line } = await connect(backend, openHost()).probe(soon());
        expect([isHealthy, line.includes(new URL(backend.origin).host)]).toEqual([false, true]);
      }
      backend.answer = () => ({ kind: 'hang' });
      expect((await connect(backend, openHost()).probe(AbortSignal.timeout(100))).isHealthy).toBe(false);
      expect(backend.exchanges.flatMap(({ request }) => contract.read(request).flatMap(essenceOf))).toEqual([]);
      await backend.close();
      expect((await connect(backend, openHost()).probe(soon())).isHealthy).toBe(false);
    });

    it('takes its credentials nowhere that a backend sends it to', async () => {
      const [backend, elsewhere] = [await openBackend(), await openBackend()];
      for (const status of [301, 302, 307, 308]) {
        backend.answer = () => refuse(status, { location: `${elsewhere.origin}/` });
        const sink = connect(backend, openHost(), contract.secretConfig(secret));
        expect((await sink.send(encode(sink, [1]), soon())).kind).toBe('retry');
        expect((await sink.probe(soon())).isHealthy).toBe(false);
      }
      expect(elsewhere.connections()).toBe(0);
    });

    it('reads no more of an endless refusal than it needs', async () => {
      const { backend, sink } = await stage({ answer: () => ({ kind: 'endless', status: 503 }) });
      const delivery = await sink.send(encode(sink, [1]), soon());
      expect(delivery.kind).toBe('retry');
      expect(inspect(delivery).length).toBeLessThan(3000);
      // The rest lies in the buffers of the sockets.
      expect(backend.pouredBytes()).toBeLessThan(20_000_000);
    });

    it('shows no secret of its configuration', () => {
      const config = kind.config.parse({ ...contract.config('http://127.0.0.1:1'), ...contract.secretConfig(secret) });
      expect([inspect(config, { depth: 9 }), JSON.stringify(config), `${config}`].join()).not.toContain(secret);
    });

    it('shows no secret in its errors, however a backend repeats what it was sent', async () => {
      const [backend, host] = [await openBackend(), openHost()];
      const sink = connect(backend, host, withSecrets(backend));
      let wasSent = false;
      // Wherever an output cuts a long answer, no half of a secret may be left; runs of blanks are often shortened afterwards.
      const cuts = [256, 300, 512, 1024, 4096].flatMap((cut) => [cut - 25, cut - 17, cut - 9]);
      for (const pad of ['', ...cuts.flatMap((length) => [' '.repeat(length), 'x'.repeat(length)])]) {
        for (const status of [400, 401, 404, 503]) {
          backend.answer = ({ path, headers }) => {
            wasSent ||= shows(headers, secret) && path.includes(querySecret);
            const said = Object.values(headers).filter((value) => shows({ value }, secret));
            return { kind: 'refuse', status, text: `${pad}${said.join(' ')} ${path} ${secret} ${querySecret}` };
          };
          const told = [await sink.send(encode(sink, [1]), soon()), await sink.probe(soon())];
          expectNoSecret(`answer ${status} after ${pad.length} characters`, told);
        }
      }
      expect(wasSent, 'the backend is shown the secret').toBe(true);
    });

    it('shows no secret in health, log, status, metrics and dead letters', async () => {
      const backend = await openBackend();
      const refusing = (status: number) => (request: BackendRequest) => ({
        ...refuse(status),
        text: `${request.path} ${inspect(request.headers)}`,
      });
      const set = await stage({ after: { backend }, keys: withSecrets(backend), answer: refusing(400) });
      const { host, output } = set;
      await append(set, [1]);
      await output.flush(soon());
      const dead = join(host.dataDirectory, 'spool', 'dead');
      const letters = readdirSync(dead).map((file) => readFileSync(join(dead, file), 'utf8'));
      expect(letters).toHaveLength(1);
      backend.answer = refusing(503);
      await append(set, [2]);
      await until('health tells of the refusal', () => output.running.health().line.includes('503'));
      const refused = output.running.health();
      await backend.close();
      await until('health tells of the backend that is gone', () => !output.running.health().line.includes('503'));
      const metrics = await host.meter.registry.metrics();
      expectNoSecret('what is shown', [
        [refused, output.running.health(), host.logLines, host.meter.status(), host.meterCalls],
        [metrics, letters],
      ]);
    });
  });
}

function expectNoSecret(what: string, shown: unknown): void {
  const text = inspect(shown, { depth: 9, maxArrayLength: null, maxStringLength: null });
  for (const part of telling) expect(text, what).not.toContain(part);
}

/** Whether a header's value holds the text, as it stands or in base64 as basic authentication has it. */
function shows(headers: Readonly<Record<string, unknown>>, text: string): boolean {
  return Object.values(headers)
    .flatMap((value) => String(value).split(' '))
    .some((word) => word.includes(text) || Buffer.from(word, 'base64').toString('latin1').includes(text));
}
