/** Spans and traces of sizes that no tracer sends, in every format, through a whole agent and out of the APIs of Zipkin and Jaeger; others are served meanwhile. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startAgent, type TestAgent } from '../fixtures/agent.ts';
import { type RawFormat, type RawSpan, rawFormats } from '../fixtures/raw-spans.ts';

// A whole agent on a machine that may be busy: what is slow is no failure.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

/** The default of `max_span_parts`. */
const maxPartsPerSpan = 20_000;

let agent: TestAgent;
let lastId = 0;

beforeAll(async () => {
  agent = await startAgent();
  await agent.ready();
});

afterAll(async () => {
  await agent.remove();
});

const residentMb = () =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${agent.child.pid}/status`, 'utf8'))?.[1]) / 1024;

const formatOf = (name: string): RawFormat => {
  const format = rawFormats.find((each) => each.name === name);
  if (format === undefined) throw new Error(`there is no format ${name}`);
  return format;
};

/** Ids of a span that no other test has. */
function freshIds({ kind }: RawFormat): { traceId: string; id: string } {
  lastId += 1;
  const id = `c${lastId.toString(16).padStart(15, '0')}`;
  return { id, traceId: kind === 'otlp' ? `d${id.padStart(31, '0')}` : id };
}

const startIn = ({ unitsPerUs }: RawFormat): bigint => BigInt(Date.now()) * 1000n * unitsPerUs;

const sendSpan = (format: RawFormat, span: Partial<RawSpan>) =>
  agent.post(
    format.path,
    gzipSync(format.encode([{ ...freshIds(format), start: startIn(format), name: 'large', service: 'shop', ...span }])),
    { 'content-type': format.contentType, 'content-encoding': 'gzip' },
  );

/** Posts and looks up small traces until the work is done: none may be refused. */
async function servingOthers<Result>(what: string, work: Promise<Result>): Promise<Result> {
  let isOver = false;
  const done = work.finally(() => {
    isOver = true;
  });
  const statuses = new Set<number>();
  let longestMs = 0;
  while (!isOver) {
    const at = performance.now();
    lastId += 1;
    const id = `e${lastId.toString(16).padStart(15, '0')}`;
    const posted = await agent.post('/api/v2/spans', `[{"traceId":"${id}","id":"${id}","timestamp":${Date.now()}000}]`);
    statuses.add(posted.status);
    longestMs = Math.max(longestMs, performance.now() - at);
    await sleep(5);
  }
  process.stdout.write(
    `${JSON.stringify({ what, othersWaitedMs: Math.round(longestMs), residentMb: Math.round(residentMb()) })}\n`,
  );
  expect([...statuses].filter((status) => status !== 202)).toEqual([]);
  return await done;
}

describe('a large span', () => {
  const manyTags = (count: number) => Array.from({ length: count }, (_, n) => [`key${n}`, `value ${n}`] as const);

  it.each(rawFormats.map((format) => [format.name, format] as const))(
    'of ten thousand tags, and of a tag of a mebibyte, comes back whole: %s',
    async (_, format) => {
      const [many, large] = [freshIds(format), freshIds(format)];
      const tags = manyTags(10_000);
      const mebibyte = 'ž'.repeat(1 << 19);
      for (const span of [
        { ...many, tags },
        {
          ...large,
          tags: [
            ['k', mebibyte],
            [mebibyte, 'v'],
          ] as const,
        },
      ]) {
        const { status, text } = await sendSpan(format, span);
        expect(status, text).toBe(format.taken);
      }
      await agent.flush();
      const tagsOf = async (traceId: string) => JSON.parse((await agent.get(`/api/v2/trace/${traceId}`)).text)[0].tags;
      const { 'service.name': service, ...found } = await tagsOf(many.traceId);
      expect(found).toEqual(Object.fromEntries(tags));
      expect(service).toBe(format.kind === 'otlp' ? 'shop' : undefined);
      const foundLarge = await tagsOf(large.traceId);
      expect(foundLarge.k === mebibyte && foundLarge[mebibyte] === 'v').toBe(true);
      const [trace] = JSON.parse((await agent.get(`/api/traces/${many.traceId}`)).text).data;
      const shown = trace.spans[0].tags.filter(({ key }: { key: string }) => key.startsWith('key'));
      expect(shown).toHaveLength(10_000);
    },
  );

  it('of as many tags as are taken is kept and read back, and others are served after it', async () => {
    const format = formatOf('Zipkin v2 JSON');
    const ids = freshIds(format);
    const sent = await servingOthers('wide span in', sendSpan(format, { ...ids, tags: manyTags(maxPartsPerSpan) }));
    expect(sent.status, sent.text).toBe(202);
    await agent.flush();
    for (const path of ['/api/v2/trace', '/api/traces']) {
      const answer = await servingOthers(`wide span out of ${path}`, agent.get(`${path}/${ids.traceId}`));
      expect(answer.status).toBe(200);
      expect(answer.text.match(/"key1\d{4}"/g)).toHaveLength(10_000);
    }
  });

  it('of more is refused with a reason, which is counted', async () => {
    const tags = manyTags(maxPartsPerSpan + 1);
    for (const { name } of rawFormats) {
      const { status, text } = await sendSpan(formatOf(name), { tags });
      const told = expect.stringMatching(/(20001|more than 20000) tags.*max_span_parts of \[\[inputs\..*send fewer/);
      expect([name, status, text]).toEqual([name, 413, told]);
    }
    const { text: metrics } = await agent.get('/metrics');
    for (const component of ['zipkin', 'otlp']) {
      const count = rawFormats.filter(({ kind }) => (kind === 'otlp') === (component === 'otlp')).length;
      expect(metrics).toMatch(
        new RegExp(
          `_refused_items_total\\{component="inputs.${component}",signal="spans",reason="over_limit"\\} ${count}`,
        ),
      );
    }
  });

  it('of four hundred thousand is refused before it is decoded whole', async () => {
    const tags = manyTags(400_000);
    for (const name of ['Zipkin v1 JSON', 'Zipkin v1 Thrift', 'Zipkin v2 JSON', 'Zipkin v2 protobuf']) {
      const { status, text } = await servingOthers(`widest span in, ${name}`, sendSpan(formatOf(name), { tags }));
      expect([name, status, text]).toEqual([name, 413, expect.stringMatching(/more than 20000 tags/)]);
    }
  });
});

describe('a trace of a hundred thousand spans', () => {
  const count = 100_000;
  const perBody = 20_000;
  const root = '1'.padStart(16, '0');
  /** Of one trace, the first span of which is the parent of all others. */
  function spansOf(
    { unitsPerUs }: RawFormat,
    { traceId, start, from }: { traceId: string; start: bigint; from: number },
  ): RawSpan[] {
    return Array.from({ length: perBody }, (_, n) => {
      const id = (from + n + 1).toString(16).padStart(16, '0');
      return {
        traceId,
        id,
        ...(id === root ? {} : { parentId: root }),
        start: start + BigInt(from + n) * unitsPerUs,
        duration: 5n * unitsPerUs,
        name: `step ${n % 10}`,
        service: `shop ${n % 3}`,
        tags: [['n', String(n)]],
      };
    });
  }

  it('is taken, and read whole by every API, within bounds of memory', async () => {
    const before = residentMb();
    const apis = [
      ['/api/v2/trace', /"parentId"/g],
      ['/api/traces', /"refType":"CHILD_OF"/g],
      ['/api/v3/traces', /"parentSpanId"/g],
    ] as const;
    const format = formatOf('Zipkin v2 protobuf');
    const { traceId } = freshIds(format);
    const start = startIn(format);
    for (let from = 0; from < count; from += perBody) {
      const body = gzipSync(format.encode(spansOf(format, { traceId, start, from })));
      const headers = { 'content-type': format.contentType, 'content-encoding': 'gzip' };
      const sent = await servingOthers(`${perBody} spans in`, agent.post(format.path, body, headers));
      expect(sent.status).toBe(format.taken);
    }
    await agent.flush();
    for (const [path, mark] of apis) {
      const answer = await servingOthers(`${count} spans out of ${path}`, agent.get(`${path}/${traceId}`));
      expect(answer.status, answer.text.slice(0, 200)).toBe(200);
      expect(answer.text.match(mark)).toHaveLength(count - 1);
    }
    expect(residentMb() - before).toBeLessThan(700);
  });
});

it('logged no error over any of it, and has its memory back', async () => {
  const errors = agent
    .output()
    .split('\n')
    .filter((line) => /"level":(50|60)/.test(line));
  expect(errors).toEqual([]);
  expect(residentMb()).toBeLessThan(1000);
  expect((await agent.get('/-/ready')).status).toBe(200);
});
