import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createRandom } from '../../test/fixtures/random.ts';
import { component, duration, headers, secret, size, tags, url } from './fields.ts';
import { loadFiles } from './load.ts';
import { formatProblem } from './problem.ts';

const probe = component(
  z.strictObject({
    url: url().describe('.'),
    urls: z.array(url()).default([]).describe('.'),
    interval: duration().prefault('1s').describe('.'),
    size: size().prefault('1KiB').describe('.'),
    tags: tags().default({}).describe('.'),
    headers: headers().default({}).describe('.'),
    nested: z
      .strictObject({ token: secret().describe('.'), on: z.boolean().default(true).describe('.') })
      .optional()
      .describe('.'),
  }),
  { dataKitOnly: { 'nested.old': '', threads: '' }, aliases: ['other'] },
);
const kinds = { inputs: [{ type: 'probe', summary: 'Is mutated.', config: probe }], outputs: [] };

const main = `node_name = "n"
[http]
listen = "127.0.0.1:9529"
query_tokens = ["a", { env = "HOME" }]
[store]
retention = "forever"
[global_tags]
a = 'b'
`;
const inputs = `# a comment
[[inputs.probe]]
  url = "http://a/b" # more
  urls = [
    "http://a/b", # one
    'http://c',
  ]
  interval = "1m30s"
  size = 0x400
  nested.token = """
secret \\
"""
  [inputs.probe.tags]
  "x.y" = "\\u00e9"
  $HOME = 1.5
[inputs.other]
url = "http://d"
nested = { token = '''a''', on = true }
`;

const pieces = [
  '[',
  ']',
  '[[',
  ']]',
  '{',
  '}',
  '"',
  "'",
  '"""',
  "'''",
  '=',
  '.',
  ',',
  '#',
  '\n',
  '\r',
  '\\',
  ' ',
  '\t',
  '$',
  '__proto__',
  'constructor',
  '1979-05-27T07:32:00Z',
  '99999999999999999999',
  'nan',
  '-inf',
  'true',
  '\0',
  '\u{1F600}',
  '\uFEFF',
  'inputs',
  'toString',
];

function mutate(text: string, random: () => number): string {
  let mutant = text;
  const below = (limit: number) => Math.floor(random() * limit);
  for (let times = 1 + below(2); times > 0; times--) {
    const at = below(mutant.length + 1);
    const length = below(4) === 0 ? below(40) : below(3);
    const choice = below(4);
    const piece =
      choice === 0
        ? mutant.slice(below(mutant.length), below(mutant.length))
        : choice === 1
          ? String.fromCharCode(below(256))
          : (pieces[below(pieces.length)] ?? '');
    mutant = mutant.slice(0, at) + (choice === 3 ? '' : piece) + mutant.slice(at + length);
  }
  return mutant;
}

const load = (files: readonly { file: string; content: string }[]) =>
  loadFiles(
    { files, problems: [], warnings: [] },
    { kinds, env: { HOME: 'home', x: '"\n[[' }, sets: [], host: { hostname: 'h', ip: 'i' } },
  );

describe('mutated configurations', () => {
  const seed = Number(process.env['SEED'] ?? 20261121);

  it(`cause problems but never an exception (2,000 of them, seed ${seed})`, { timeout: 60_000 }, async () => {
    const random = createRandom(seed);
    let accepted = 0;
    for (let i = 0; i < 1000; i++) {
      const loaded = await load([
        { file: 'trawl.conf', content: mutate(main, random) },
        { file: 'x.conf', content: mutate(inputs, random) },
      ]);
      if (loaded.ok) accepted++;
      for (const problem of loaded.ok ? [] : loaded.problems) {
        if (!/^[^\n]+: [^\n]+(\n {0,5}\d+ \| [^\n]*\n {6}\| {1,110}\^+)?$/.test(formatProblem(problem)))
          expect(problem).toBe('well formed');
      }
    }
    expect(accepted).toBeGreaterThan(4);
    expect(Object.prototype).not.toHaveProperty('a');
  });

  it.each([
    ['20,000 nested brackets', `a = ${'['.repeat(20_000)}`, 'maximum nesting depth'],
    ['20,000 nested inline tables', `a = ${'{a='.repeat(20_000)}`, 'maximum nesting depth'],
    ['20,000 opened headers', '['.repeat(20_000), 'not valid TOML'],
    ['a key of 100,000 parts', `a${'.b'.repeat(100_000)} = 1`, 'unknown key "a"'],
    ['100,000 quotes', '"'.repeat(100_000), 'not valid TOML'],
    ['2^53 + 1', 'a = 9007199254740993', 'an integer beyond 9007199254740991 (2^53 - 1)'],
    ['an integer of 10,000 digits', `a = ${'9'.repeat(10_000)}`, 'an integer beyond 9007199254740991 (2^53 - 1)'],
  ])('are refused with their place: %s', async (_, content, why) => {
    const loaded = await load([{ file: 'x.conf', content }]);
    const told = loaded.ok
      ? ''
      : formatProblem(
          loaded.problems[0] ?? { file: '', line: 0, column: 0, path: '', message: '', hint: '', frame: '' },
        );
    expect(told).toMatch(/^x\.conf:1:\d+: /);
    expect(told).toContain(why);
    expect(told.length).toBeLessThan(1000);
  });
});
