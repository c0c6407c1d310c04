import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { checkConfiguration } from './check.ts';
import { diffConfigurations } from './diff.ts';
import { component, duration, secret, tags } from './fields.ts';
import { loadConfiguration, loadFiles } from './load.ts';
import { mainConfig } from './main-config.ts';
import { mainKeyPaths, variableName } from './overrides.ts';
import { formatProblem, type Problem } from './problem.ts';
import { keysOf, shapeOf, unwrap } from './schema-walk.ts';

const zipkin = {
  type: 'zipkin',
  summary: 'Takes spans.',
  config: component(
    z.strictObject({
      pathV2: z.string().default('/api/v2/spans').describe('.'),
      token: secret().optional().describe('.'),
      later: z.boolean().default(false).describe('.'),
    }),
    { dataKitOnly: { threads: 'there is no pool', 'storage.path': '' }, laterKeys: ['later'] },
  ),
};
const logs = {
  type: 'container_logs',
  summary: 'Reads logs.',
  config: component(
    z.strictObject({
      path: z.string().default('/var/log/pods').describe('.'),
      container_include_log: z.array(z.string()).default([]).describe('.'),
      poll: duration().prefault('1s').describe('.'),
      tags: tags().default({}).describe('.'),
    }),
    { aliases: ['container'] },
  ),
};
const kinds = { inputs: [zipkin, logs], outputs: [] };
const host = { hostname: 'node-1', ip: '10.0.0.1' };

interface Given {
  readonly files?: Record<string, string>;
  readonly env?: Record<string, string>;
  readonly sets?: readonly string[];
}

const load = async ({ files = {}, env = {}, sets = [] }: Given) => {
  const sources = Object.entries(files).map(([file, content]) => ({ file, content }));
  return await loadFiles({ files: sources, problems: [], warnings: [] }, { kinds, env, sets, host });
};

const loadWell = async (given: Given) => {
  const loaded = await load(given);
  if (!loaded.ok) throw new Error(loaded.problems.map(formatProblem).join('\n'));
  return { ...loaded.configuration, warnings: loaded.warnings };
};

const firstLines = (problems: readonly Problem[]) => problems.map((problem) => formatProblem(problem).split('\n')[0]);

describe('the main file', () => {
  it('may be missing: everything has its default', async () => {
    const { main, inputs, outputs } = await loadWell({});
    expect(main.http).toMatchObject({ listen: '127.0.0.1:9529', zipkin_listen: '127.0.0.1:9411', query: 'token' });
    expect(main.store).toMatchObject({ data_directory: 'data', url: '', retention: 604_800_000 });
    expect(main.query).toMatchObject({ timeout: 10_000, max_points: 11_000, max_log_lines: 5000 });
    expect(main.spool.max_bytes).toBe(1024 ** 3);
    expect([...inputs, ...outputs]).toEqual([]);
  });

  it('gives way to ENV_*, which gives way to TRAWL_*, which gives way to --set', async () => {
    const files = { 'trawl.conf': '[http]\nlisten = "127.0.0.1:1"\n' };
    const listen = async (env: Record<string, string>, sets: string[] = []) =>
      (await loadWell({ files, env, sets })).main.http.listen;
    expect(await listen({})).toBe('127.0.0.1:1');
    expect(await listen({ ENV_HTTP_LISTEN: '127.0.0.1:2' })).toBe('127.0.0.1:2');
    expect(await listen({ ENV_HTTP_LISTEN: '127.0.0.1:2', TRAWL_HTTP_LISTEN: '127.0.0.1:3' })).toBe('127.0.0.1:3');
    expect(await listen({ TRAWL_HTTP_LISTEN: '127.0.0.1:3' }, ['http.listen=[::1]:4', 'http.listen=[::1]:5'])).toBe(
      '[::1]:5',
    );
  });

  it('takes retention as a duration or forever, for all signals and for one', async () => {
    const { main } = await loadWell({
      sets: ['store.retention=forever', 'store.retention_logs=14d', 'store.max_bytes=none'],
    });
    expect(main.store).toMatchObject({ retention: 'forever', retention_logs: 1_209_600_000, max_bytes: 'none' });
  });

  it('warns when it listens to others but nobody among them could query', async () => {
    const warnings = async (...sets: string[]) => firstLines((await loadWell({ sets })).warnings);
    expect(await warnings('http.listen=0.0.0.0:9529')).toEqual([
      '--set: queries are answered on loopback only: [http] listens at 0.0.0.0:9529, but there are no query_tokens; set query_tokens, or query = "open" or "loopback"',
    ]);
    expect(await warnings('http.listen=0.0.0.0:9529', 'http.query_tokens=a')).toEqual([]);
    expect(await warnings('http.listen=0.0.0.0:9529', 'http.query=open')).toEqual([]);
    expect(await warnings('http.listen=[::1]:9529')).toEqual([]);
  });

  it('has one TRAWL_ variable for each key', () => {
    const names = mainKeyPaths().map(variableName);
    expect(new Set(names).size).toBe(names.length);
    expect(names).toContain('TRAWL_STORE_RETENTION');
  });

  it('describes every key', () => {
    const visit = (schema: z.ZodType): void => {
      for (const [key, below] of keysOf(schema) ?? []) {
        expect(unwrap(below).notes.description, key).toMatch(/\.$/);
        if (shapeOf(below) === 'table') visit(below);
      }
    };
    visit(mainConfig);
  });

  it('proposes a whole key, as it can be written after --set, in place of a misspelt one', async () => {
    const proposed = async (key: string) => {
      const loaded = await load({ sets: [`${key}=7d`] });
      return loaded.ok ? '' : loaded.problems.map(({ hint }) => hint).join();
    };
    expect(await proposed('store.retenton')).toBe('did you mean "store.retention"?');
    expect(await proposed('stroe.retention')).toBe('did you mean "store.retention"?');
    expect(await proposed('stroe.nothing')).toBe('did you mean "store"?');
    expect(await proposed('inputs.zipkin[0].pathV')).toBe('did you mean "inputs.zipkin[0].pathV2"?');
    expect(await proposed('store.nothing')).toBe('');
  });

  it('takes lists and tables from text, and adds tags to those of the file', async () => {
    const { main } = await loadWell({
      files: { 'trawl.conf': '[global_tags]\na = "file"\nb = "file"\n' },
      env: {
        ENV_GLOBAL_HOST_TAGS: 'b=env, host=__datakit_hostname,ip=__datakit_ip',
        ENV_CLUSTER_NAME_K8S: 'c1',
        NODE_NAME: 'n1',
      },
      sets: ['global_tags.c=x=y', 'http.query_tokens=one,two'],
    });
    expect(main.global_tags).toEqual({
      a: 'file',
      b: 'env',
      host: 'node-1',
      ip: '10.0.0.1',
      cluster_name_k8s: 'c1',
      c: 'x=y',
    });
    expect(main.node_name).toBe('n1');
    expect(main.http.query_tokens.map((token) => token.reveal())).toEqual(['one', 'two']);
  });

  it("asks Kubernetes for the node as Kubernetes knows it, whatever DataKit's name for it holds besides", async () => {
    const nodes = async (env: Record<string, string>) => {
      const { main } = await loadWell({ env });
      return [main.node_name, main.discovery.node];
    };
    expect(await nodes({})).toEqual(['', '']);
    expect(await nodes({ NODE_NAME: 'n1' })).toEqual(['n1', 'n1']);
    expect(await nodes({ ENV_K8S_NODE_NAME: 'n1', ENV_K8S_CLUSTER_NODE_NAME: 'cluster_a_n1' })).toEqual([
      'cluster_a_n1',
      'n1',
    ]);
  });

  it('warns of a TRAWL_ variable that is no setting, but not of what Kubernetes sets for a Service of that name', async () => {
    const { warnings } = await loadWell({
      env: {
        TRAWL_STORE_RETENSION: '1d',
        TRAWL_PORT: 'tcp://10.0.0.1:9529',
        TRAWL_PORT_9529_TCP_ADDR: '10.0.0.1',
        TRAWL_SERVICE_HOST: '10.0.0.1',
        TRAWL_STORE_SERVICE_PORT_HTTP: '9530',
      },
    });
    expect(firstLines(warnings)).toEqual([
      'environment: TRAWL_STORE_RETENSION is no setting of Trawl\'s and has no effect; did you mean "TRAWL_STORE_RETENTION"?',
    ]);
  });
});

describe('inputs', () => {
  it('are taken as arrays of tables, as single tables and under their other name', async () => {
    const { inputs } = await loadWell({
      files: {
        'a.conf': '[[inputs.zipkin]]\n[[inputs.zipkin]]\npathV2 = "/x"\n',
        'b.conf': '\n[inputs.container]\npath = "/p"\n',
      },
    });
    expect(inputs.map(({ name, kind, source }) => [name, kind.type, source])).toEqual([
      ['inputs.zipkin', 'zipkin', 'a.conf:1'],
      ['inputs.zipkin#1', 'zipkin', 'a.conf:2'],
      ['inputs.container_logs', 'container_logs', 'b.conf:2'],
    ]);
  });

  it("run with a warning where they use DataKit's keys or keys that are to come", async () => {
    const { inputs, warnings } = await loadWell({
      files: {
        'z.conf':
          '[[inputs.zipkin]]\nlater = true\n[inputs.zipkin.threads]\nbuffer = 100\n[inputs.zipkin.storage]\npath = "x"\n'.replace(
            '[inputs.zipkin.storage]\npath = "x"\n',
            '',
          ),
      },
    });
    expect(inputs).toHaveLength(1);
    expect(firstLines(warnings)).toEqual([
      'z.conf:2:1: "later" in [[inputs.zipkin]] is not supported yet and has no effect',
      'z.conf:3:1: "threads" in [[inputs.zipkin]] is a key of DataKit\'s that Trawl does not have: there is no pool',
    ]);
  });

  it('that Trawl lacks are a warning, and the rest runs', async () => {
    const { inputs, warnings } = await loadWell({ files: { 'z.conf': '[[inputs.cpu]]\nx = 1\n[[inputs.zipkin]]\n' } });
    expect(inputs).toHaveLength(1);
    expect(firstLines(warnings)).toEqual([
      'z.conf:1:1: Trawl has no input "cpu"; this block does nothing; the inputs are zipkin, container_logs, container',
    ]);
  });

  it('have their text replaced by variables that exist, but not in comments', async () => {
    const content = `# $A\n[[inputs.container_logs]]\npath = "/$\{A}/$B/$C"\npoll = "$A"\n`;
    const loaded = await load({ files: { 'l.conf': content }, env: { A: '1s', B: 'two' } });
    expect(loaded.ok && loaded.configuration.inputs[0]?.config).toMatchObject({ path: '/1s/two/$C', poll: 1000 });
  });

  it("take DataKit's ENV_INPUT_* where there is a block of theirs", async () => {
    const { inputs, warnings } = await loadWell({
      files: { 'c.conf': '[[inputs.container]]\n[[inputs.zipkin]]\n' },
      env: {
        ENV_INPUT_CONTAINER_CONTAINER_INCLUDE_LOG: 'namespace:a,namespace:b',
        ENV_INPUT_ZIPKIN_PATH_V2: '/z',
        ENV_INPUT_CPU_X: '1',
      },
    });
    expect(inputs[0]?.config).toMatchObject({ container_include_log: ['namespace:a', 'namespace:b'] });
    expect(inputs[1]?.config).toMatchObject({ pathV2: '/z' });
    expect(firstLines(warnings)).toEqual([
      'environment: ENV_INPUT_CPU_X has no counterpart in Trawl and has no effect',
    ]);
  });

  it('take --set for all blocks of a kind, for one, and for one that is not there yet', async () => {
    const files = { 'z.conf': '[[inputs.zipkin]]\n[[inputs.zipkin]]\n' };
    const paths = async (sets: string[]) =>
      (await loadWell({ files, sets })).inputs.map((input) => zipkin.config.safeParse(input.config).data?.pathV2);
    expect(await paths(['inputs.zipkin.pathV2=/x'])).toEqual(['/x', '/x']);
    expect(await paths(['inputs.zipkin[1].pathV2=/x'])).toEqual(['/api/v2/spans', '/x']);
    const { inputs } = await loadWell({ sets: ['inputs.container.path=/p', 'inputs.container_logs.tags.a=b'] });
    expect(inputs).toMatchObject([
      { name: 'inputs.container_logs', config: { path: '/p', tags: { a: 'b' } }, source: '--set' },
    ]);
  });
});

describe('a reload', () => {
  it('leaves alone what did not change, wherever it stands now', async () => {
    const before = await loadWell({
      files: {
        'a.conf':
          '[[inputs.zipkin]]\npathV2 = "/a"\n[[inputs.zipkin]]\npathV2 = "/b"\ntoken = "s"\n[[inputs.zipkin]]\npathV2 = "/c"',
      },
    });
    const after = await loadWell({
      files: {
        'b.conf': '[[inputs.zipkin]]\ntoken = "s"\npathV2 = "/b"\n[[inputs.container]]\n',
        'c.conf': '[inputs.zipkin]\npathV2 = "/d"\n',
      },
      sets: ['log.level=debug', 'global_tags.a=b'],
    });
    const diff = diffConfigurations(before, after);
    const names = (pairs: readonly { from: { name: string }; to: { name: string } }[]) =>
      pairs.map(({ from, to }) => [from.name, to.name]);
    expect(diff.mainKeys).toEqual(['log.level', 'global_tags.a']);
    expect(names(diff.inputs.unchanged)).toEqual([['inputs.zipkin#1', 'inputs.zipkin']]);
    expect(names(diff.inputs.changed)).toEqual([['inputs.zipkin', 'inputs.zipkin#1']]);
    expect(diff.inputs.removed.map((block) => block.name)).toEqual(['inputs.zipkin#2']);
    expect(diff.inputs.added.map((block) => block.name)).toEqual(['inputs.container_logs']);
    expect(diff.isEmpty).toBe(false);
  });

  it('sees a changed secret, and nothing where nothing changed', async () => {
    const of = (token: string) => loadWell({ files: { 'z.conf': `[[inputs.zipkin]]\ntoken = "${token}"\n` } });
    expect(diffConfigurations(await of('a'), await of('a')).isEmpty).toBe(true);
    expect(diffConfigurations(await of('a'), await of('b')).inputs.changed).toHaveLength(1);
  });
});

describe('a configuration directory', () => {
  let directory = '';
  afterEach(() => rm(directory, { recursive: true, force: true }));

  const make = async (files: Record<string, string | Buffer>) => {
    directory = await mkdtemp(join(tmpdir(), 'trawl-conf-'));
    for (const [name, content] of Object.entries(files)) {
      await mkdir(dirname(join(directory, name)), { recursive: true });
      await writeFile(join(directory, name), content);
    }
  };

  it('is read with its subdirectories, without samples, hidden directories, repeated files and byte order marks', async () => {
    const block = '[[inputs.zipkin]]\n';
    await make({
      'zipkin/zipkin.conf': `\uFEFF${block}`,
      'zipkin/again.conf': block,
      'zipkin/zipkin.conf.sample': '[[inputs.zipkin]]\npathV2 = "/sample"\n',
      '.git/x.conf': '[[inputs.zipkin]]\npathV2 = "/git"\n',
      '..2026_11_21/mounted.conf': '[[inputs.zipkin]]\npathV2 = "/mounted"\n',
      'datakit.conf': 'protect_mode = true\n',
    });
    await symlink('..2026_11_21/mounted.conf', join(directory, 'mounted.conf'));
    const loaded = await loadConfiguration({ directory, kinds, env: {}, sets: [] });
    expect(loaded.ok && loaded.configuration.inputs.map((input) => input.config)).toMatchObject([
      { pathV2: '/mounted' },
      { pathV2: '/api/v2/spans' },
    ]);
    expect(loaded.warnings.map((warning) => warning.message)).toEqual(["DataKit's main file is not read"]);
  });

  it('that cannot be read is a problem that says why', async () => {
    await make({
      'a.conf': Buffer.from([0xff, 0xfe, 0x41]),
      'b/trawl.conf': '',
      'trawl.conf': '[log]\n',
      'dangling.txt': '',
    });
    const bad = await loadConfiguration({ directory, files: [join(directory, 'none.conf')], kinds, env: {}, sets: [] });
    expect(
      bad.ok ? [] : bad.problems.map((problem) => `${problem.file.slice(directory.length + 1)} ${problem.message}`),
    ).toEqual([
      'a.conf is not UTF-8 text',
      'none.conf cannot be read: there is no such file or directory',
      'trawl.conf is a second trawl.conf',
    ]);
    const none = await loadConfiguration({ directory: join(directory, 'nowhere'), kinds, env: {}, sets: [] });
    expect(none.ok ? [] : none.problems.map((problem) => problem.message)).toEqual([
      'cannot be read: there is no such file or directory',
    ]);
  });

  it('is checked for people: what was looked at, what is on, what is next', async () => {
    await make({ 'zipkin.conf': '[[inputs.zipkin]]\n', 'bad.conf': '[[inputs.zipkn]]\n' });
    let nowMs = 0;
    const options = { kinds, env: {}, sets: [], nowMs: () => (nowMs += 7) };
    const good = await checkConfiguration({ ...options, files: [join(directory, 'zipkin.conf')] });
    expect(good.exitCode).toBe(0);
    expect(good.text.replaceAll(`${directory}/`, '')).toBe(
      `checked 1 file (zipkin.conf) in 7 ms: no problems
  1 input
    inputs.zipkin            zipkin.conf:1
  no outputs: data is kept here and handed on to nobody
  serves at 127.0.0.1:9529; keeps data in data (embedded store)
next: start with "trawl agent", or apply it to a running agent with SIGHUP or POST /-/reload
`,
    );
    const bad = await checkConfiguration({ ...options, directory });
    expect(bad.exitCode).toBe(1);
    expect(bad.text).toContain(
      'bad.conf:1:1: there is no input "zipkn"; did you mean "zipkin"?\n    1 | [[inputs.zipkn]]\n',
    );
    expect(bad.text).toMatch(/checked 2 files \(.*\) in 7 ms: 1 problem\nnext: mend it/);
  });
});
