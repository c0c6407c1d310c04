import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCommand } from '../../test/fixtures/fake-terminal.ts';
import { type FakeApi, startFakeApi } from '../../test/fixtures/fake-zipkin-api.ts';
import type { Terminal } from './command.ts';

const one = '{"resultType":"vector","result":[{"metric":{},"value":[1.50,"1"]}]}';
let body: string;
let status: number;
let api: FakeApi;
let directory: string;
beforeEach(async () => {
  body = `{"status":"success", "data": ${one},"infos":["data"]}`;
  status = 200;
  api = await startFakeApi(() => ({ status, body }));
  directory = await mkdtemp(join(tmpdir(), 'trawl-query-'));
});
afterEach(async () => {
  await api.close();
  await rm(directory, { recursive: true, force: true });
});

const query = (argv: readonly string[], more: Partial<Terminal> = {}) =>
  runCommand(['query', 'promql', ...argv, '--url', api.url], more);

async function* chunks(...texts: readonly string[]) {
  for (const text of texts) yield Buffer.from(text);
}

const formOf = (text: string): Record<string, string> => Object.fromEntries(new URLSearchParams(text));

describe('the query of trawl query promql', () => {
  it('goes in the address as long as that is short, and as a form where it would be too long', async () => {
    const long = `up{pod=~"${'ä|'.repeat(1000)}"}`;
    expect((await query(['up', '--time', '1700000000'])).exitCode).toBe(0);
    expect((await query([long, '--time', '1700000000'])).exitCode).toBe(0);
    expect((await query([long, '--range', '60s', '--end', '1700000000', '--step', '30'])).exitCode).toBe(0);
    const asked = api.requests.map(({ method, path, query: shown, body: form }) => ({
      method,
      path,
      ...shown,
      ...formOf(form),
    }));
    expect(asked).toEqual([
      { method: 'GET', path: '/api/v1/query', query: 'up', time: '1700000000' },
      { method: 'POST', path: '/api/v1/query', query: long, time: '1700000000' },
      {
        method: 'POST',
        path: '/api/v1/query_range',
        query: long,
        start: '1699999940',
        end: '1700000000',
        step: '30',
      },
    ]);
  });

  it('comes from a file that is named behind @, or from standard input, without what editors put around it', async () => {
    const file = join(directory, 'errors.promql');
    await writeFile(file, '\ufeff# what fails\r\nsum(\r\n  up)\r\n');
    await query([`@${file}`]);
    await query(['-'], { input: () => chunks('sum(u', 'p)\n') });
    expect(api.requests.map((request) => request.query['query'])).toEqual(['# what fails\nsum(\n  up)', 'sum(up)']);
  });

  it('is missed where a file or standard input has none', async () => {
    const said = async (argument: string) => {
      const { exitCode, out, errors } = await query([argument], { input: () => chunks('\n') });
      expect({ exitCode, out }).toEqual({ exitCode: 2, out: [] });
      return errors[0];
    };
    const empty = join(directory, 'empty');
    await writeFile(empty, ' \n');
    expect(await said('-')).toContain("no query came from standard input; write one such as 'up'");
    expect(await said(`@${empty}`)).toContain(`there is no query in ${empty}`);
    expect(await said(`@${directory}`)).toContain(`no query can be read from ${directory}: it is a directory`);
    expect(await said('@gone\u001b[2J')).toContain('no query can be read from gone�[2J: there is no such file');
    expect(await said('@')).toContain('a file is named behind @');
    expect((await query(['sum', 'by', '(job)'])).errors[0]).toContain('what has blanks in it goes in quotes');
    expect((await query(['-1'])).errors[0]).toContain('QUERY goes behind -- where it begins with a minus');
    expect(api.requests).toEqual([]);
  });
});

describe('the JSON of trawl query promql', () => {
  it("is that of the answer's data, byte for byte", async () => {
    expect((await query(['up', '--json'])).out).toEqual([one]);
  });

  it('means the same on a terminal, and holds nothing that one would obey', async () => {
    const data = '{"resultType":"vector","result":[{"metric":{"a":"x\u009b2J\u202ey"},"value":[1,"1"]}]}';
    body = `{"status":"success","data":${data}}`;
    expect((await query(['up', '--json'])).out).toEqual([data]);
    const { out } = await query(['up', '--json'], { isTty: true });
    expect(out.join('')).toContain('"x\\u009b2J\\u202ey"');
    expect(JSON.parse(out.join(''))).toEqual(JSON.parse(data));
  });
});

describe('the place of an error in a query', () => {
  const placed = async (text: string, place: string, ...argv: readonly string[]) => {
    status = 400;
    body = JSON.stringify({
      status: 'error',
      errorType: 'bad_data',
      error: `invalid parameter "query": ${place}: parse error: unexpected x`,
    });
    const { exitCode, errors } = await query([text, ...argv]);
    expect(exitCode).toBe(1);
    return errors.slice(2, 4);
  };

  it('is right behind tabs, wide characters and at the end', async () => {
    expect(await placed('sum(\n\tup{a="日本"} x)', '2:17')).toEqual(['   up{a="日本"} x)', '                ^']);
    expect(await placed('sum(\n  up', '2:5')).toEqual(['    up', '      ^']);
    expect(await placed('sum(\n  up', '9:5')).toEqual(['  ', '  ^']);
  });

  it('is shown at once and within the width in a line of a megabyte, of any characters', async () => {
    for (const letter of ['a', '日']) {
      const half = letter.repeat(500_000);
      const column = 1 + Buffer.byteLength(half);
      const [line = '', caret = ''] = await placed(`${half}+${half}`, `1:${column}`, '--width', '40');
      const cells = letter === 'a' ? 1 : 2;
      const before = line.slice(0, line.indexOf('+'));
      expect(before).toMatch(/^ {2}….+$/);
      expect(caret.length).toBe(4 + (before.length - 3) * cells);
      expect(line.endsWith('…')).toBe(true);
    }
  });
});
