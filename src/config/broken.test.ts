import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { bearerAuth, component, count, duration, headers, pattern, size, tags, url } from './fields.ts';
import { loadConfiguration } from './load.ts';
import { formatProblem } from './problem.ts';

// Cut down from the real components, which may gain keys without these files changing.
const zipkinInput = component(
  z.strictObject({
    pathV1: z.string().startsWith('/', 'must be a path that starts with /').default('/api/v1/spans').describe('.'),
    pathV2: z.string().startsWith('/', 'must be a path that starts with /').default('/api/v2/spans').describe('.'),
    body_limit: size().prefault('10MiB').describe('.'),
  }),
  { dataKitOnly: { threads: 'there is no pool of workers to size' } },
);
const promInput = component(
  z
    .strictObject({
      urls: z.array(url()).default([]).describe('.'),
      url: url().optional().describe('.'),
      interval: duration({ minMs: 1000 }).prefault('30s').describe('.'),
      source: z.string().default('prom').describe('.'),
      metric_types: z
        .array(z.enum(['counter', 'gauge']))
        .default([])
        .describe('.'),
      metric_name_filter: z
        .array(pattern({ isAnchored: false }))
        .default([])
        .describe('.'),
      tags: tags().default({}).describe('.'),
      tags_rename: z
        .strictObject({ overwrite_exist_tags: z.boolean().default(false).describe('.') })
        .prefault({})
        .describe('.'),
      honor_labels: z.boolean().default(false).describe('.'),
      auth: bearerAuth().optional().describe('.'),
      sample_limit: count(1).default(1000).describe('.'),
    })
    .superRefine((config, context) => {
      if (config.urls.length === 0 && config.url === undefined) {
        context.addIssue({ code: 'custom', path: ['urls'], message: 'must name at least one address to scrape' });
      }
    }),
  { dataKitOnly: { election: '' } },
);
const zipkinOutput = z.strictObject({
  url: url().describe('.').meta({ example: 'http://zipkin:9411/api/v2/spans' }),
  timeout: duration().prefault('10s').describe('.'),
  headers: headers().default({}).describe('.'),
  max_spool_bytes: size({ minBytes: 1024 * 1024 })
    .prefault('1GiB')
    .describe('.'),
  when_full: z.enum(['drop_oldest', 'refuse']).default('drop_oldest').describe('.'),
});
const kinds = {
  inputs: [
    { type: 'zipkin', summary: 'Takes spans.', config: zipkinInput },
    { type: 'prom', summary: 'Scrapes metrics.', config: promInput },
  ],
  outputs: [{ type: 'zipkin', summary: 'Hands spans on.', config: zipkinOutput }],
};

const folder = join(import.meta.dirname, 'testdata', 'broken');
const isUpdating = process.env['UPDATE_TESTDATA'] === '1';

interface Case {
  readonly given: string;
  readonly expected: string;
  readonly parts: ReadonlyMap<string, string>;
}

function parseCase(text: string): Case {
  const [given = '', expected = ''] = text.split(/^-- expected --\n/m);
  const parts = new Map<string, string>();
  for (const part of given.split(/^-- (?=[^\n]+ --\n)/m).slice(1)) {
    const end = part.indexOf(' --\n');
    parts.set(part.slice(0, end), part.slice(end + 4));
  }
  return { given, expected, parts };
}

const linesOf = (text: string | undefined): string[] => (text ?? '').split('\n').filter((line) => line !== '');

describe('a broken configuration', async () => {
  const root = await mkdtemp(join(tmpdir(), 'trawl-broken-'));
  afterAll(() => rm(root, { recursive: true, force: true }));
  const names = (await readdir(folder)).filter((name) => name.endsWith('.txt')).sort();

  it.each(names)('is told with file, line, key and remedy: %s', async (name) => {
    const path = join(folder, name);
    const { given, expected, parts } = parseCase(await readFile(path, 'utf8'));
    const directory = join(root, name, 'conf.d');
    await mkdir(directory, { recursive: true });
    for (const [file, content] of parts) {
      if (file === 'env' || file === 'sets') continue;
      await mkdir(dirname(join(directory, file)), { recursive: true });
      await writeFile(join(directory, file), content);
    }
    const env = Object.fromEntries(
      linesOf(parts.get('env')).map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    );
    const loaded = await loadConfiguration({
      directory,
      kinds,
      env,
      sets: linesOf(parts.get('sets')),
      host: { hostname: 'node-1', ip: '10.0.0.1' },
    });

    const problems = loaded.ok ? [] : loaded.problems.map((problem) => `${formatProblem(problem)}\n`);
    const warnings = loaded.warnings.map((problem) => `warning: ${formatProblem(problem)}\n`);
    const told = [...problems, ...warnings].join('').replaceAll(join(root, name, ''), '');
    if (isUpdating) await writeFile(path, `${given}-- expected --\n${told}`);
    else expect(told).toBe(expected);
    expect(problems.length).toBeGreaterThan(0);
    expect(told).not.toContain('canary');
    if (!loaded.ok) expect(JSON.stringify(loaded.problems)).not.toContain('canary');
  });

  it('is shown in at least 30 ways', () => {
    expect(names.length).toBeGreaterThanOrEqual(30);
  });
});
