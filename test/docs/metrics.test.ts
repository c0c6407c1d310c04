/** docs/reference/metrics.md against an agent in which everything that has metrics runs. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lossReasons } from '../../src/pipeline/meter.ts';
import { compareMetricNames } from '../../src/server/self-metrics.ts';
import { startAgent, type TestAgent } from '../fixtures/agent.ts';
import { root } from './blocks.ts';

const reference = readFileSync(join(root, 'docs/reference/metrics.md'), 'utf8');

const everyComponent = {
  'trawl.conf': `
[discovery]
kubernetes = "off"
directory = "/nonexistent/pods"
`,
  'all.conf': `
[[inputs.zipkin]]
[[inputs.prom]]
urls = ["http://127.0.0.1:1/metrics"]
[[inputs.container_logs]]
path = "/nonexistent/pods"
[[outputs.zipkin]]
url = "http://127.0.0.1:1/api/v2/spans"
`,
};

describe("the agent's metrics", () => {
  let agent: TestAgent;
  let exposition: string;
  beforeAll(async () => {
    agent = await startAgent({ files: everyComponent });
    await agent.ready();
    exposition = (await agent.get('/metrics')).text;
  });
  afterAll(async () => {
    await agent.remove();
  });

  it('are all in the reference, and the reference has no others', () => {
    const ofLinux = process.platform === 'linux' ? /^$/ : /^process_(virtual|heap|open|max)/;
    const { undocumented, absent } = compareMetricNames(exposition, reference);
    expect({ undocumented, absent: absent.filter((name) => !ofLinux.test(name)) }).toEqual({
      undocumented: [],
      absent: [],
    });
  });

  it('have the types and labels that the reference says', () => {
    const rows = [...reference.matchAll(/^\| `(\w+)` \| (\w+) \| ([^|]*) \|/gm)];
    const types = new Map([...exposition.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map((match) => [match[1], match[2]]));
    for (const [, name = '', type, labels = ''] of rows) {
      expect(`${name} ${types.get(name)}`).toBe(`${name} ${type}`);
      const documented = new Set(labels.split(', ').map((label) => label.trim()));
      for (const [, text = ''] of exposition.matchAll(new RegExp(`^${name}(?:_bucket|_sum|_count)?\\{(.*)\\} `, 'gm')))
        for (const [, label = ''] of text.matchAll(/(\w+)="/g))
          if (label !== 'le') expect(documented, `${name} has the label ${label}`).toContain(label);
    }
  });

  it('are named after the thing and its unit, counters with _total', () => {
    for (const [, name = '', type] of exposition.matchAll(/^# TYPE (trawl_\S+) (\S+)$/gm)) {
      expect(name, 'lower case, no colons').toMatch(/^trawl(_[a-z][a-z0-9]*)+$/);
      expect(name.endsWith('_total'), `${name} is a ${type}`).toBe(type === 'counter');
      if (type === 'histogram') expect(name).toMatch(/_(seconds|bytes)$/);
      expect(name, 'base units').not.toMatch(/_(ms|milliseconds|minutes|kb|mb|kib|mib|percent)(_|$)/);
    }
  });

  it('give for every loss one of the reasons that the documents explain', () => {
    const troubleshooting = readFileSync(join(root, 'docs/operations/troubleshooting.md'), 'utf8');
    const explained = [...troubleshooting.matchAll(/^\| `(\w+)` \|/gm)].map((match) => match[1] ?? '');
    expect(explained.sort()).toEqual([...lossReasons].sort());
    for (const reason of lossReasons) expect(reference).toContain(`\`${reason}\``);
  });
});

describe('the reasons not to be ready', () => {
  it('are those that the program gives', () => {
    const running = readFileSync(join(root, 'docs/operations/running.md'), 'utf8');
    const given = ['src/store/supervisor.ts', 'src/cli/agent/store-link.ts']
      .map((file) => readFileSync(join(root, file), 'utf8').replaceAll(/\$\{[^}]*\}/g, 'X'))
      .join('\n');
    const rows = [...running.matchAll(/^\| `(the store [^`]+)` \|/gm)].map((match) => match[1] ?? '');
    expect(rows.length).toBeGreaterThan(0);
    for (const row of rows) expect(given).toContain(row.replaceAll(/REASON|HOST/g, 'X'));
  });
});
