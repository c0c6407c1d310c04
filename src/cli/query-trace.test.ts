import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCommand } from '../../test/fixtures/fake-terminal.ts';
import { type FakeApi, startFakeApi } from '../../test/fixtures/fake-zipkin-api.ts';
import { bookinfo, sketchTraceId } from '../../test/fixtures/sketched-trace.ts';
import { encodeSpans } from '../codec/zipkin-v2-json/encode-spans.ts';

let api: FakeApi;
let directory: string;
const answers: Readonly<Record<string, string>> = {
  [`/api/v2/trace/${sketchTraceId}`]: encodeSpans(bookinfo()),
  [`/api/traces/${sketchTraceId}`]: '{"data":[{"traceID":"1"}]}',
  [`/api/v3/traces/${sketchTraceId}`]: '{"result":{"resourceSpans":[{"n":9007199254740993}]}}',
};

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'trawl-query-trace-'));
  api = await startFakeApi(({ path }) => (answers[path] === undefined ? undefined : { body: answers[path] }));
});
afterEach(async () => {
  await api.close();
  await rm(directory, { recursive: true, force: true });
});

const query = (...args: string[]) => runCommand(['query', 'trace', ...args, '--url', api.url]);

describe('trawl query trace', () => {
  it('draws the trace in 80 columns where nobody looks on, and in what was asked for', async () => {
    const { exitCode, out } = await query(sketchTraceId);
    expect(exitCode).toBe(0);
    expect(out[0]).toBe('productpage get /productpage');
    expect(Math.max(...out.map((line) => line.length))).toBe(80);
    const wide = await query(sketchTraceId, '--width', '140');
    expect(Math.max(...wide.out.map((line) => line.length))).toBe(140);
  });

  it('prints tags by their names, from one option or several', async () => {
    const { out } = await query(sketchTraceId, '--tags', 'http.status_code,error', '--tags', 'other');
    expect(out.filter((line) => line.endsWith('http.status_code=503'))).toHaveLength(4);
    expect(out.filter((line) => line.endsWith('error=true'))).toHaveLength(4);
  });

  it('prints the spans themselves with --json', async () => {
    const { out } = await query(sketchTraceId, '--json');
    expect(out.join('\n')).toBe(encodeSpans(bookinfo()));
  });

  it.each([
    ['zipkin', encodeSpans(bookinfo())],
    ['jaeger', '{"data":[{"traceID":"1"}]}'],
    ['otlp', '{"resourceSpans":[{"n":9007199254740993}]}'],
  ])('writes a file of %s, or prints it', async (format, text) => {
    const file = join(directory, 'trace.json');
    const { exitCode, out } = await query(sketchTraceId, '--format', format, '--out', file);
    expect(exitCode).toBe(0);
    expect(out[0]).toContain(`wrote trace ${sketchTraceId} to ${file} (${format}, `);
    expect(await readFile(file, 'utf8')).toBe(`${text}\n`);
    expect((await query(sketchTraceId, '--format', format)).out).toEqual([text]);
    expect((await query(sketchTraceId, '--format', format, '--out', '-')).out).toEqual([text]);
  });

  it('writes over no file, and says what is wrong with a name', async () => {
    const file = join(directory, 'trace.json');
    await writeFile(file, 'precious');
    const there = await query(sketchTraceId, '--out', file);
    expect(there).toMatchObject({
      exitCode: 1,
      errors: [`cannot write ${file}: it is there already; remove it or choose another name`],
    });
    expect(await readFile(file, 'utf8')).toBe('precious');
    expect((await query(sketchTraceId, '--out', join(directory, 'no', 'x.json'))).errors[0]).toContain('ENOENT');
  });

  it('says what to do where there is no such trace', async () => {
    const { exitCode, errors } = await query('abc');
    expect(exitCode).toBe(1);
    expect(errors[0]).toContain('no trace abc is kept here');
    expect(errors[1]).toContain(`query traces --url ${api.url}`);
    expect((await query('../../metrics')).exitCode).toBe(1);
    expect(api.requests.at(-1)?.path).toBe('/api/v2/trace/..%2F..%2Fmetrics');
  });

  it('refuses formats and widths that it does not know', async () => {
    expect(await query(sketchTraceId, '--format', 'xml')).toMatchObject({
      exitCode: 2,
      errors: [expect.stringContaining('none of zipkin, jaeger, otlp')],
    });
    expect((await query(sketchTraceId, '--width', '-3')).exitCode).toBe(2);
  });
});
