import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCommand } from '../../test/fixtures/fake-terminal.ts';
import { type FakeAnswer, type FakeApi, type FakeRequest, startFakeApi } from '../../test/fixtures/fake-zipkin-api.ts';
import { bookinfo, sketchTrace, sketchTraceId } from '../../test/fixtures/sketched-trace.ts';
import { decodeJsonSpans } from '../codec/otlp/decode-spans.ts';
import { encodeJsonSpans } from '../codec/otlp/encode-spans.ts';
import { encodeSpans } from '../codec/zipkin-v2-json/encode-spans.ts';
import { toOtlpTrace } from '../query/jaeger/otlp-trace.ts';
import { toUiTrace } from '../query/jaeger/ui-trace.ts';

let api: FakeApi;
let directory: string;
let answer: (request: FakeRequest) => FakeAnswer | undefined;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'trawl-send-traces-'));
  answer = ({ method }) => (method === 'POST' ? { status: 202, body: '' } : { body: '[]' });
  api = await startFakeApi((request) => answer(request));
});
afterEach(async () => {
  await api.close();
  await rm(directory, { recursive: true, force: true });
});

async function fileOf(text: string | Buffer, name = 'traces.json'): Promise<string> {
  const file = join(directory, name);
  await writeFile(file, text);
  return file;
}
const send = (...args: string[]) => runCommand(['send', 'traces', ...args, '--url', api.url]);
const posts = () => api.requests.filter(({ method }) => method === 'POST');

const zipkin = encodeSpans(bookinfo());
const jaeger = JSON.stringify({ data: [toUiTrace(toOtlpTrace(bookinfo()))] }, undefined, 2);
const otlp = encodeJsonSpans(bookinfo());
const v1 =
  '[{"traceId":"463ac35c9f6413ad","id":"1","name":"get","annotations":[{"timestamp":1795184587123000,"value":"sr","endpoint":{"serviceName":"shop"}}]}]';

describe('trawl send traces', () => {
  it.each([
    ['Zipkin v2 JSON', zipkin, '/api/v2/spans'],
    ['Zipkin v2 JSON', `[${zipkin}]`, '/api/v2/spans'],
    ['Zipkin v2 JSON', `\ufeff ${zipkin}\n`, '/api/v2/spans'],
    ['Zipkin v2 JSON', zipkin.slice(1, -1).replaceAll('},{"traceId"', '}\n{"traceId"'), '/api/v2/spans'],
    ['Jaeger JSON', jaeger, '/v1/traces'],
    ['Jaeger JSON', JSON.stringify([toUiTrace(toOtlpTrace(bookinfo()))]), '/v1/traces'],
    ['OTLP JSON', otlp, '/v1/traces'],
    ['OTLP JSON', `{"result":${otlp}}`, '/v1/traces'],
    ['OTLP JSON', `${otlp}\n${otlp}\n`, '/v1/traces'],
  ])('knows %s by what is in the file: %.40s', async (format, text, path) => {
    const file = await fileOf(text);
    const { exitCode, out, errors } = await send(file);
    expect({ exitCode, errors }).toEqual({ exitCode: 0, errors: [] });
    const spans = text.startsWith(`${otlp}\n`) ? 22 : 11;
    expect(out[0]).toBe(`${file}: kept ${spans} spans of 1 trace (${format})`);
    expect(out[1]).toContain(`query trace ${sketchTraceId} --url ${api.url}`);
    expect(posts().map((request) => request.path)).toEqual([path]);
  });

  it('sends Zipkin v1 to the route of v1, packed files unpacked, and standard input', async () => {
    await send(await fileOf(v1));
    await send(await fileOf(gzipSync(zipkin), 'traces.json.gz'));
    const input = async function* () {
      yield Buffer.from(zipkin.slice(0, 100));
      yield Buffer.from(zipkin.slice(100));
    };
    const { out } = await runCommand(['send', 'traces', '-', '--url', api.url], { input });
    expect(out[0]).toBe('standard input: kept 11 spans of 1 trace (Zipkin v2 JSON)');
    expect(posts().map(({ path, body }) => [path, body.length])).toEqual([
      ['/api/v1/spans', v1.length],
      ['/api/v2/spans', zipkin.length],
      ['/api/v2/spans', zipkin.length],
    ]);
  });

  it('changes no digit of what it sends on', async () => {
    const text = zipkin.replace('"tags":{', '"tags":{"n":9007199254740993.10,');
    await send(await fileOf(text));
    expect(posts()[0]?.body).toBe(text);
  });

  it('splits what is large into bodies that an agent takes, without losing a span', async () => {
    const many = sketchTrace(
      ...Array.from({ length: 5_000 }, (_, i) => ({
        id: i + 1,
        tags: { filler: 'x'.repeat(i % 7 === 0 ? 2_000 : 10) },
      })),
    );
    await send(await fileOf(encodeSpans(many), 'zipkin.json'), await fileOf(encodeJsonSpans(many), 'otlp.json'));
    const bodies = posts();
    expect(Math.max(...bodies.map(({ body }) => body.length))).toBeLessThanOrEqual(1024 * 1024);
    const of = (path: string) => bodies.filter((request) => request.path === path).map(({ body }) => body);
    expect(of('/api/v2/spans').flatMap((body): unknown[] => JSON.parse(body))).toHaveLength(5_000);
    const spans = of('/v1/traces').flatMap((body) => decodeJsonSpans(Buffer.from(body)).spans);
    expect(new Set(spans.map(({ id }) => id)).size).toBe(5_000);
  });

  it('keeps the types of a Jaeger file on the way', async () => {
    const text = jaeger.replace('"tags": [', '"tags": [{"key":"n","type":"int64","value":"9007199254740993"},');
    await send(await fileOf(text));
    const { spans } = decodeJsonSpans(Buffer.from(posts()[0]?.body ?? ''));
    expect(spans.flatMap(({ details }) => details?.typedAttributes ?? [])).toContainEqual(['n', 9007199254740993n]);
  });

  it('says where to look for several traces', async () => {
    const second = bookinfo().map((span) => ({ ...span, traceId: '000000000000000000000000000000ff' }));
    const { out } = await send(await fileOf(encodeSpans([...bookinfo(), ...second])));
    expect(out[0]).toContain('kept 22 spans of 2 traces');
    expect(out[1]).toContain(
      `query traces --service 'productpage' --since 2026-11-20T14:23:07 --limit 2 --url ${api.url}`,
    );
  });

  it('goes on with the other files after one that is wrong, and exits 1', async () => {
    const wrong = await fileOf('[{"traceId":"1","id":"2"},\n{"traceId":"1"}]', 'wrong.json');
    const { exitCode, out, errors } = await send(wrong, join(directory, 'none.json'), directory, await fileOf(zipkin));
    expect(exitCode).toBe(1);
    expect(errors).toEqual([
      expect.stringMatching(/wrong\.json: span 2: .*id.*\(\{"traceId":"1"\}\)$/),
      expect.stringMatching(/none\.json: cannot be read: there is no such file$/),
      expect.stringMatching(/: cannot be read: it is a directory$/),
    ]);
    expect(out[0]).toContain('kept 11 spans');
  });

  it.each([
    ['', 'the file is empty'],
    ['[]', 'the list in the file is empty'],
    ['<html>', 'neither JSON nor packed JSON; it begins with "<html>"'],
    ['{"a":1}', 'no traces that Trawl knows'],
    ['{"data":', 'malformed JSON'],
    ['[{"traceId":"1","id":"1"},\n {"traceId":"1"', 'the list does not end, at line 2 column 16'],
    ['{"data":[{"spans":[{"traceID":"x"}]}]}', '$.data[0].spans[0].traceID: an id of 1 to 32 hex digits is needed'],
    [`${otlp}\n{"data":[]}`, 'OTLP JSON and Jaeger JSON stand in one file'],
    [`${otlp}\n{"resourceSpans":7}`, 'line 2: '],
    [Buffer.from([0x1f, 0x8b, 1, 2]), 'cannot be unpacked with gzip'],
  ])('says what is wrong with a file, and where: %.30s', async (text, message) => {
    const { exitCode, errors } = await send(await fileOf(text));
    expect(exitCode).toBe(1);
    expect(errors[0]).toContain(message);
    expect(posts()).toEqual([]);
  });

  it('only reads with --check', async () => {
    const { exitCode, out } = await send('--check', await fileOf(jaeger));
    expect(exitCode).toBe(0);
    expect(out[0]).toMatch(/traces\.json: 11 spans of 1 trace in Jaeger JSON$/);
    expect(api.requests).toEqual([]);
  });

  it('waits as long as a busy agent asks for', async () => {
    let busy = 2;
    answer = ({ method }) =>
      method === 'POST' && busy-- > 0
        ? { status: 503, body: 'full', headers: { 'retry-after': '0' } }
        : { status: 200, body: '' };
    const { exitCode, errors } = await send(await fileOf(zipkin));
    expect(exitCode).toBe(0);
    expect(errors[0]).toBe('the agent is busy (503); trying again in 0.0 s');
    expect(posts()).toHaveLength(3);
  });

  it('tells how many spans an agent did not take, with its reason', async () => {
    answer = ({ method }) =>
      method === 'POST'
        ? { body: '{"partialSuccess":{"rejectedSpans":"2","errorMessage":"older than the retention"}}' }
        : { body: '[]' };
    const { exitCode, out, errors } = await send(await fileOf(otlp));
    expect(exitCode).toBe(1);
    expect(out[0]).toContain('kept 9 spans');
    expect(errors[0]).toMatch(/: 2 spans refused: older than the retention$/);
  });

  it('tells where it was refused, and how far it had come', async () => {
    let taken = 0;
    answer = ({ method }) =>
      method === 'POST' && taken++ > 0 ? { status: 400, body: 'no \u001b[2J' } : { status: 202, body: '' };
    const many = sketchTrace(...Array.from({ length: 3_000 }, (_, i) => ({ id: i + 1 })));
    const { exitCode, errors } = await send(await fileOf(encodeSpans(many)));
    expect(exitCode).toBe(1);
    expect(errors[0]).toMatch(/: the agent answered 400: no �\[2J; 2000 of 3000 spans were kept before$/);
    answer = () => undefined;
    expect((await send(await fileOf(otlp))).errors[0]).toContain('/v1/traces is not there (404)');
  });

  it('warns of a trace that is not to be found afterwards, since it is too old', async () => {
    answer = ({ method }) => (method === 'POST' ? { status: 202, body: '' } : undefined);
    const { exitCode, out, errors } = await send(await fileOf(zipkin));
    expect(exitCode).toBe(0);
    expect(errors[0]).toContain('is not to be found afterwards; its first span is of 2026-11-20 14:23:07.123 UTC');
    expect(out.join('\n')).not.toContain('look at it');
  });
});
