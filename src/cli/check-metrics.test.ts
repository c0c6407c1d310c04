import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommand } from '../../test/fixtures/fake-terminal.ts';

const good = '# HELP a_bytes A.\n# TYPE a_bytes gauge\na_bytes{x="1"} 1\na_bytes{x="2"} 1\n';

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'trawl-check-'));
});
afterAll(async () => {
  await rm(directory, { recursive: true });
});

async function checkFile(content: string | Uint8Array, ...options: string[]) {
  const file = join(directory, 'page.txt');
  await writeFile(file, content);
  const { out, errors, exitCode } = await runCommand(['check', 'metrics', file, ...options]);
  return {
    out: out.map((line) => line.replace(file, 'FILE')),
    errors: errors.map((line) => line.replace(file, 'FILE')),
    exitCode,
  };
}

async function checkTarget(answer: RequestListener, ...options: string[]) {
  const server = createServer(answer);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  // A server that listens on a port has an address of this shape.
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/metrics`;
  try {
    const { out, errors, exitCode } = await runCommand(['check', 'metrics', url, ...options]);
    const hide = (line: string) => line.replaceAll(String(port), 'PORT');
    return { out: out.map(hide), errors: errors.map(hide), exitCode };
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

describe('trawl check metrics', () => {
  it('says what a file holds and exits 0 where it is taken', async () => {
    expect(await checkFile(good)).toEqual({
      out: ['FILE: Prometheus text 0.0.4: 1 family, 2 series', 'taken'],
      errors: [],
      exitCode: 0,
    });
    expect((await checkFile(gzipSync(good))).exitCode).toBe(0);
  });

  it('names each line that is wrong, and says whether a scrape fails', async () => {
    const broken = await checkFile(`${good}b{\n`);
    expect(broken.out).toContain('line 5: error: expected label name, got the end of the line, in "b{"');
    expect(broken.out.at(-1)).toContain('a scrape of this page fails');
    expect(broken.exitCode).toBe(1);
    const loose = await checkFile('# TYPE c counter\n# HELP c C.\nc_total -1\n# EOF\n');
    expect(loose.out).toEqual([
      'FILE: OpenMetrics 1.0: 1 family, 1 series',
      'line 3: error: "c_total" of a counter is negative',
      'refused: 1 error; a scrape takes it all the same, but readers that hold to OpenMetrics 1.0 need not',
    ]);
    expect(loose.exitCode).toBe(1);
  });

  it('prints a hundred findings unless told to print all, and errors rather than warnings', async () => {
    const lines = Array.from({ length: 300 }, (_, i) => `m${i} 1\n`);
    const { out } = await checkFile([...lines, 'b{\n'].join(''));
    expect(out).toHaveLength(103);
    expect(out.at(-3)).toContain('line 301: error');
    expect(out.at(-2)).toBe('and 501 more findings; --all prints more');
    expect((await checkFile([...lines, 'b{\n'].join(''), '--all')).out).toHaveLength(603);
  });

  it('shows nothing of a stranger that a terminal obeys', async () => {
    const { out } = await checkFile('# TYPE \u001b[31m\na{b="\u001b]0;x\u0007\u202e"} \u009b31m\n');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about.
    expect(out.join('\n').replaceAll('\n', '')).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
  });

  it('asks a target as a scrape does, and says how it answered', async () => {
    const { out, exitCode } = await checkTarget(
      (request, response) => {
        expect(request.headers['accept']).toContain('application/openmetrics-text;version=1.0.0');
        expect(request.headers['authorization']).toBe('Bearer x');
        response.setHeader('content-type', 'application/openmetrics-text; version=1.0.0');
        response.setHeader('content-encoding', 'gzip');
        response.end(gzipSync(`${good}# EOF\n`));
      },
      '--header',
      'Authorization: Bearer x',
    );
    expect(out).toEqual([
      'http://127.0.0.1:PORT/metrics: OpenMetrics 1.0 (HTTP 200, application/openmetrics-text; version=1.0.0): 1 family, 2 series',
      'taken',
    ]);
    expect(exitCode).toBe(0);
  });

  it('says in plain words why a target gave no page', async () => {
    const notFound = await checkTarget((_, response) => response.writeHead(404).end('x'));
    expect(notFound.errors).toEqual([
      'http://127.0.0.1:PORT/metrics: HTTP 404, no Content-Type: a scrape takes status 200 only',
    ]);
    const away = await checkTarget((_, response) =>
      response.writeHead(302, { location: 'http://example.invalid/' }).end(),
    );
    expect(away.errors[0]).toContain('redirects to "http://example.invalid/", another host or port');
    const slow = await checkTarget((_, response) => response.write('a 1\n'), '--timeout', '0.2');
    expect(slow.errors).toEqual(['http://127.0.0.1:PORT/metrics: no whole answer within 0.2 s']);
    expect([notFound, away, slow].map(({ exitCode }) => exitCode)).toEqual([1, 1, 1]);
    expect(await runCommand(['check', 'metrics', join(directory, 'none')])).toMatchObject({ exitCode: 1 });
    const closed = await runCommand(['check', 'metrics', 'http://127.0.0.1:1/metrics']);
    expect(closed).toMatchObject({ exitCode: 1, errors: [expect.stringContaining('nothing listens there')] });
    const bare = await runCommand(['check', 'metrics', '127.0.0.1:9100/metrics']);
    expect(bare.errors).toEqual([expect.stringContaining('write http://127.0.0.1:9100/metrics')]);
  });

  it('answers programs a line for a line, and exits 1 when a page was refused', async () => {
    const ask = (id: string, body: string, contentType?: string) =>
      JSON.stringify({ id, contentType, bodyBase64: Buffer.from(body).toString('base64') });
    const openMetricsType = 'application/openmetrics-text; version=1.0.0';
    const page = '# TYPE a counter\n# HELP a A.\na_total{x="1"} 1 1.5 # {t="y"} NaN\n# EOF\n';
    const lines = [ask('1', page, openMetricsType), '', ask('2', 'a +Inf'), ask('3', 'a x')];
    const { out, exitCode } = await runCommand(['check', 'metrics', '--json-lines'], {
      input: () => Readable.from([Buffer.from(lines.join('\n'))]),
    });
    const exemplar = { labels: { t: 'y' }, value: 'NaN' };
    expect(out.map((line) => JSON.parse(line))).toEqual([
      {
        id: '1',
        ok: true,
        series: [{ labels: { __name__: 'a_total', x: '1' }, value: '1', timestampMs: 1500, exemplar }],
        metadata: { a: { type: 'counter', help: 'A.', unit: '' } },
      },
      { id: '2', ok: true, series: [{ labels: { __name__: 'a' }, value: '+Inf' }], metadata: {} },
      { id: '3', ok: false, error: 'line 1: expected a float, got "x", in "a x"' },
    ]);
    expect(exitCode).toBe(1);
    const bad = await runCommand(['check', 'metrics', '--json-lines'], { input: () => Readable.from(['{}']) });
    expect(bad.exitCode).toBe(2);
  });

  it('refuses options that make no sense', async () => {
    for (const argv of [
      ['--format', 'xml', '/dev/null'],
      ['a', 'b'],
      ['--json-lines', 'a'],
      ['http://x/', '--timeout', '-1'],
      ['http://x/', '--header', 'x'],
    ])
      expect(await runCommand(['check', 'metrics', ...argv]), argv.join(' ')).toMatchObject({ exitCode: 2 });
  });
});
