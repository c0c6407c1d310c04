import { format, inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { checkConfiguration } from './check.ts';
import { headers, secret } from './fields.ts';
import { loadFiles } from './load.ts';
import { codeFrame } from './problem.ts';
import { createSecret, isSecret, withoutSecrets } from './secret.ts';

const canary = 'canary-5f2c';

describe('a secret', () => {
  const value = createSecret(canary);

  it('is told to nobody but to who asks for it', () => {
    const printed = [
      String(value),
      `${value}`,
      `${value.toString()}${JSON.stringify({ value, list: [value] })}`,
      inspect({ deep: { value } }, { depth: 9, showHidden: true, getters: true }),
      format('%s %o %O %j %d', value, value, value, value, value),
      JSON.stringify(Object.entries(value)),
      JSON.stringify(Object.getOwnPropertyNames(value)),
      inspect(new Map([['value', value]])),
      inspect(new Error('failed', { cause: { value } })),
      [value].join(),
      String(structuredCloneOrWhy(value)),
    ].join('\n');
    expect(printed).not.toContain(canary);
    expect(printed).toContain('[REDACTED]');
    expect(value.reveal()).toBe(canary);
    expect(isSecret(value)).toBe(true);
    expect(isSecret({ ...value })).toBe(false);
  });
});

function structuredCloneOrWhy(value: object): unknown {
  try {
    return structuredClone(value);
  } catch (error) {
    return error;
  }
}

const kind = {
  type: 'probe',
  summary: 'Has secrets.',
  config: z.strictObject({
    token: secret().optional().describe('.'),
    tokens: z.array(secret()).default([]).describe('.'),
    headers: headers().default({}).describe('.'),
    nested: z
      .strictObject({ password: secret().describe('.') })
      .optional()
      .describe('.'),
    count: z.number().default(1).describe('.'),
    choice: z.enum(['a', 'b']).default('a').describe('.'),
  }),
};
const kinds = { inputs: [kind], outputs: [] };
const load = (content: string, env: Record<string, string> = {}, sets: string[] = []) =>
  loadFiles({ files: [{ file: 'x.conf', content }], problems: [], warnings: [] }, { kinds, env, sets });

describe('a secret in a configuration', () => {
  it('is not printed with the configuration it is in', async () => {
    const loaded = await load(
      `[[inputs.probe]]\ntoken = "${canary}"\ntokens = ["${canary}", { env = "T" }]\nheaders = { Authorization = "${canary}" }\nnested.password = "$P"`,
      { T: canary, P: canary, TRAWL_STORE_URL: 'http://a:1', TRAWL_STORE_TOKEN: canary },
      [`http.query_tokens=${canary},${canary}`, `store.token=${canary}`],
    );
    expect(loaded.ok).toBe(true);
    for (const printed of [inspect(loaded, { depth: 20 }), JSON.stringify(loaded), format('%o', loaded)]) {
      expect(printed).not.toContain(canary);
    }
    const config = loaded.ok ? loaded.configuration.inputs[0]?.config : undefined;
    expect(kind.config.parse(config).nested?.password.reveal()).toBe(canary);
  });

  it.each([
    `token = "${canary}`,
    `token = ${canary}`,
    `tokn = "${canary}"`,
    `tokn = "${canary}" # ${canary}`,
    `x = 1 # ${canary}`,
    `count = "a" # ${canary}`,
    `token = """\n${canary}\n`,
    `token = """\n${canary}\n"""\nx = 1`,
    `token = ["${canary}"]`,
    `tokens = "${canary}"`,
    `tokens = [\n"a",\n["${canary}"],\n]`,
    `tokens = [\n"a",\n"${canary}",,\n]`,
    `tokens = [\n${canary},\n]`,
    `headers = { "X Y" = "${canary}" }`,
    `headers = { Authorization = ["${canary}"] }`,
    `headers = { Authorization = "${canary}", b = }`,
    `nested = "${canary}"`,
    `nested = { pasword = "${canary}" }`,
    `nested = { password = "${canary}", x = 1 }`,
    `nested = [{ password = "${canary}" }]`,
    `token = { file = "/nonexistent", env = "${canary}" }`,
    `token = "${canary}" count = 1`,
    `token = "${canary}\\q"`,
    `token "${canary}"`,
    `choice = { token = "${canary}" }`,
    `count = ["${canary}"]`,
    `token = "$SECRET`,
    `count = "$SECRET"`,
    `choice = "$SECRET"`,
    `headers = $SECRET`,
    `token = "a"\ntoken = "${canary}"`,
    `[inputs.probe.headers]\nAuthorization = "${canary}"\nAuthorization = "${canary}"`,
  ])('is not in what is said of it when it is wrong: %j', async (body) => {
    const env = {
      SECRET: canary,
      ENV_INPUT_PROBE_TOKENS: `{${canary}`,
      ENV_DATAWAY: canary,
      TRAWL_HTTP_QUERY: 'x',
      TRAWL_TOKN: canary,
    };
    const sets = [canary, `inputs.probe.nested=${canary}`, `store.tokn=${canary}`, `store.url=http://me:${canary}@a`];
    const content = `[[inputs.probe]]\n${body}\n`;
    const loaded = await load(content, env, sets);
    expect(loaded.ok).toBe(false);
    expect(inspect(loaded, { depth: 20 })).not.toContain(canary);
    expect(JSON.stringify(loaded)).not.toContain(canary);
    for (let start = 0; start < content.length; start++) {
      const isAtAKey = codeFrame(content, { start, end: start + 1 }).includes(canary);
      expect(isAtAKey).toBe(false);
    }
  });

  it('is not in the text of a check', async () => {
    const { text } = await checkConfiguration({ kinds, env: { TRAWL_STORE_TOKEN: canary }, sets: [] });
    expect(text).toContain('"url" is empty');
    expect(text).not.toContain(canary);
  });
});

describe('a text of somebody else', () => {
  it('is shown without the secrets that he was sent, with and without their scheme', () => {
    const secrets = [createSecret(`Bearer ${canary}`), createSecret('other-secret'), createSecret('no')];
    expect(withoutSecrets(`not known: ${canary}, Bearer ${canary}, other-secret.`, secrets)).toBe(
      'not known: [REDACTED], [REDACTED], [REDACTED].',
    );
  });
});
