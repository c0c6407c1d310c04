import { afterEach, describe, expect, it } from 'vitest';
import { runCommand } from '../../test/fixtures/fake-terminal.ts';
import { type FakeApi, startFakeApi } from '../../test/fixtures/fake-zipkin-api.ts';
import type { AnsweredTarget, TargetsAnswer } from './targets-answer.ts';

let api: FakeApi;
afterEach(async () => {
  await api.close();
});

const pod = { namespace: 'default', name: 'reviews-1', uid: 'u', node: 'node-1', phase: 'Running', ip: '10.1.2.3' };
const target = (changes: Partial<AnsweredTarget> = {}): AnsweredTarget => ({
  url: 'http://10.1.2.3:15020/stats/prometheus',
  component: 'discovery',
  origin: 'pod default/reviews-1, annotation datakit/prom.instances',
  pod,
  annotation: 'datakit/prom.instances',
  discoveredLabels: { job: 'mesh', __meta_kubernetes_pod_name: 'reviews-1' },
  labels: { job: 'mesh', pod: 'reviews-1' },
  intervalSeconds: 10,
  timeoutSeconds: 10,
  health: 'up',
  lastScrape: new Date(Date.now() - 3_000).toISOString(),
  lastDurationSeconds: 0.012,
  samples: 821,
  hasAnswered: true,
  lastError: null,
  lastWarning: null,
  ...changes,
});
const source = { name: 'discovery.kubernetes', healthy: true, state: 'watches 12 pods of node-1', pods: 12 };
const known = { ...pod, annotations: ['datakit/prom.instances'], notScraped: null };
const refused = {
  pod: { ...pod, name: 'sly' },
  annotation: 'datakit/prom.instances',
  line: 2,
  reason: 'not_this_pod',
  message: 'evil.example is a name, and a name may lead to another host each time',
};
const nothing: TargetsAnswer = { sources: [], targets: [], leftOut: [], refused: [], warnings: [], pods: [] };

/** An agent that answers this about its targets, and this to queries. */
async function serve(answer: Partial<TargetsAnswer>, query: unknown = {}, queryStatus = 200): Promise<void> {
  api = await startFakeApi(({ path }) => {
    if (path === '/api/trawl/targets') return { body: JSON.stringify({ ...nothing, ...answer }) };
    return path === '/api/v1/query' ? { status: queryStatus, body: JSON.stringify(query) } : undefined;
  });
}
const run = (...argv: string[]) => runCommand([...argv, '--url', api.url]);
const result = (...values: number[]) => ({
  status: 'success',
  data: { resultType: 'vector', result: values.map((value) => ({ metric: {}, value: [1, String(value)] })) },
});

describe('trawl targets', () => {
  it('prints a table, what is down first, with its error below it', async () => {
    const down = target({
      url: 'http://10.1.2.4/metrics',
      health: 'down',
      lastError: 'nothing listens at 10.1.2.4:80',
    });
    const fixed = target({ component: 'inputs.prom', origin: 'conf.d/prom.conf:3', pod: null, health: 'unknown' });
    await serve({ targets: [target(), fixed, { ...down, samples: 0 }], refused: [refused], sources: [source] });
    const { exitCode, out, errors } = await run('targets');
    expect({ exitCode, errors }).toEqual({ exitCode: 0, errors: [] });
    expect(out).toEqual([
      'health   last scrape     took  samples  of                              target',
      'down         3 s ago  12.0 ms        0  default/reviews-1               http://10.1.2.4/metrics',
      '    nothing listens at 10.1.2.4:80',
      'unknown      3 s ago  12.0 ms      821  inputs.prom conf.d/prom.conf:3  http://10.1.2.3:15020/stats/prometheus',
      'up           3 s ago  12.0 ms      821  default/reviews-1               http://10.1.2.3:15020/stats/prometheus',
      '',
      'refused',
      '  default/sly  datakit/prom.instances, line 2',
      '    evil.example is a name, and a name may lead to another host each time',
      '',
      'discovery.kubernetes: watches 12 pods of node-1',
    ]);
  });

  it('shows labels before and after relabelling, for whoever asks', async () => {
    await serve({ targets: [target()] });
    const { out } = await run('targets', '--labels');
    expect(out.slice(2)).toEqual([
      '    labels      job="mesh" pod="reviews-1"',
      '    discovered  __meta_kubernetes_pod_name="reviews-1" job="mesh"',
    ]);
  });

  it('puts the address on a line of its own where a terminal is narrow', async () => {
    await serve({ targets: [target()] });
    const { out } = await run('targets', '--width', '60');
    expect(out).toHaveLength(3);
    expect(out[2]).toBe('    http://10.1.2.3:15020/stats/prometheus');
  });

  it("obeys nothing that a stranger's text holds, and has colours in a terminal alone", async () => {
    const sly = '\u001b[2Jx';
    const texts = { lastError: sly, lastWarning: sly, url: `http://10.1.2.3/${sly}`, pod: { ...pod, name: sly } };
    await serve({
      targets: [target({ ...texts, health: 'down', labels: { [sly]: sly } })],
      refused: [{ ...refused, pod: { ...pod, name: sly }, message: sly, annotation: sly }],
      leftOut: [{ url: sly, component: sly, why: sly }],
      sources: [{ ...source, state: sly }],
    });
    const plainly = await run('targets', '--labels');
    expect(plainly.out.join('\n')).not.toContain('\u001b');
    const inTerminal = await runCommand(['targets', '--labels', '--url', api.url], { isTty: true, columns: 120 });
    expect(inTerminal.out.join('\n')).toContain('\u001b[31m');
    expect(inTerminal.out.join('\n')).not.toContain('\u001b[2J');
  });

  it('hands on what the agent answered as JSON', async () => {
    await serve({ targets: [target()] });
    const { out } = await run('targets', '--json', '--pod', 'default/reviews-1');
    expect(JSON.parse(out.join('\n'))).toMatchObject({ targets: [{ samples: 821 }] });
    expect(api.requests[0]?.query).toEqual({ pod: 'default/reviews-1' });
  });

  it.each([
    ['nothing is configured', {}, /\[\[inputs\.prom\]\][\s\S]*\[discovery\]/],
    ['no pod asks for it', { sources: [source] }, /no pod that is known asks[\s\S]*12 pods[\s\S]*annotate one/],
    ['the source is away', { sources: [{ ...source, healthy: false, state: 'pods is forbidden' }] }, /is forbidden/],
    [
      'pods do not run yet',
      { sources: [source], pods: [{ ...known, notScraped: 'it is Pending' }] },
      /why pod default\/reviews-1 --url/,
    ],
  ])('says what to do where %s, and exits 1', async (_, answer, expected) => {
    await serve(answer);
    const { exitCode, out, errors } = await run('targets');
    expect({ exitCode, out }).toEqual({ exitCode: 1, out: [] });
    expect(errors.join('\n')).toMatch(expected);
  });

  it('says what is wrong with its arguments, and with who answers', async () => {
    await serve({});
    expect(await run('targets', '--pod', 'reviews')).toMatchObject({ exitCode: 2 });
    await api.close();
    api = await startFakeApi(() => ({ body: '{"sources": 1}' }));
    expect((await run('targets')).errors).toEqual([expect.stringContaining('does not answer as an agent does')]);
    await api.close();
    api = await startFakeApi(() => undefined);
    expect((await run('targets')).errors).toEqual([expect.stringContaining('is it a newer one?')]);
  });
});

describe('trawl why pod', () => {
  const all = { sources: [source], targets: [target()], pods: [known] };
  const why = () => run('why', 'pod', 'default/reviews-1');
  const states = (out: readonly string[]) => out.filter((line) => line[0] !== ' ').map((line) => line.split(/ +/)[0]);

  it('names a pod that may have been meant, also in another namespace', async () => {
    const answer = { ...nothing, sources: [source], targets: [target()], pods: [known] };
    api = await startFakeApi(({ query }) => ({
      body: JSON.stringify(query['pod'] === undefined ? answer : { ...answer, targets: [], pods: [] }),
    }));
    expect((await run('why', 'pod', 'default/reviews')).out).toContainEqual(
      expect.stringMatching(/^ {19}did you mean default\/reviews-1\?$/),
    );
    expect((await run('why', 'pod', 'shop-of-books/reviews-1')).out.join()).toContain(
      'did you mean default/reviews-1?',
    );
    expect((await run('why', 'pod', 'default/productpage')).out.join()).not.toContain('did you mean');
  });

  it('walks all the way where all is well', async () => {
    await serve(all, result(800, 21));
    const { exitCode, out } = await why();
    expect({ exitCode, states: states(out) }).toEqual({ exitCode: 0, states: ['ok', 'ok', 'ok', 'ok', 'ok'] });
    expect(out.at(-1)).toContain('821 samples');
    expect(api.requests.at(-1)?.query['query']).toBe(
      'scrape_samples_post_metric_relabeling{namespace="default",pod="reviews-1"}',
    );
  });

  it.each([
    ['discovered', 'discovery is off', { sources: [], pods: [], targets: [] }, {}, /looks for no pods/],
    ['discovered', 'no such pod is known', { pods: [], targets: [] }, {}, /no pod default\/reviews-1 is known/],
    [
      'discovered',
      'the source has not answered',
      { pods: [], targets: [], sources: [{ ...source, healthy: false, pods: null, state: 'pods is forbidden' }] },
      {},
      /is forbidden[\s\S]*has to answer first/,
    ],
    [
      'discovered',
      'the pod does not run',
      { pods: [{ ...known, notScraped: 'it is Pending' }], targets: [] },
      {},
      /it is Pending/,
    ],
    [
      'annotation',
      'it has none',
      { pods: [{ ...known, annotations: [] }], targets: [] },
      {},
      /none of the annotations/,
    ],
    ['annotation', 'it is refused', { targets: [], refused: [refused] }, {}, /line 2: evil\.example/],
    [
      'reachable',
      'nobody listens',
      { targets: [target({ health: 'down', hasAnswered: false, lastError: 'nothing listens at x' })] },
      {},
      /nothing listens at x/,
    ],
    [
      'reachable',
      'one of two does not answer',
      { targets: [target(), target({ health: 'down', hasAnswered: false, lastError: 'no route' })] },
      {},
      /no route[\s\S]*1 of 2 targets/,
    ],
    [
      'parsed',
      'it cannot be read',
      { targets: [target({ health: 'down', lastError: 'the page cannot be read as text: line 2: bad' })] },
      {},
      /line 2: bad\n.*check metrics http:/,
    ],
    ['parsed', 'its page is empty', { targets: [target({ samples: 0 })] }, {}, /holds no sample/],
    ['kept', 'the store has nothing', {}, result(), /the store has nothing/],
    ['kept', 'filters leave all out', {}, result(0), /filters leave every sample out/],
    ['kept', 'the store is away', {}, { status: 'error', error: 'the store is being started' }, /is being started/],
  ])('names the step %s where %s', async (step, _, answer, query, expected) => {
    await serve({ ...all, ...answer }, query);
    const { exitCode, out } = await why();
    expect(exitCode).toBe(1);
    const failing = out.find((line) => line.startsWith('fails'));
    expect(failing).toMatch(new RegExp(`^fails  ${step} `));
    expect(out.join('\n')).toMatch(expected);
    expect(states(out)).toHaveLength(5);
  });

  it('says when a target will be scraped first', async () => {
    await serve({ ...all, targets: [target({ health: 'unknown', lastScrape: null, hasAnswered: false })] });
    const { exitCode, out } = await why();
    expect({ exitCode, states: states(out) }).toEqual({ exitCode: 1, states: ['ok', 'ok', 'waits', '-', '-'] });
    expect(out[2]).toContain('within 10 s');
  });

  it('wants a namespace and a name', async () => {
    await serve({});
    expect(await run('why', 'pod', 'reviews-1')).toMatchObject({ exitCode: 2 });
  });
});
