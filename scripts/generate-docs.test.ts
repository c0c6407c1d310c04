import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { kinds } from '../src/cli/agent/kinds.ts';
import { type ComponentKind, loadConfiguration, loadFiles } from '../src/config/load.ts';
import { formatProblem } from '../src/config/problem.ts';
import { keysOf, shapeOf, unwrap } from '../src/config/schema-walk.ts';
import { driftedFiles, generatedFiles } from './generate-docs.ts';

const root = join(import.meta.dirname, '..');
const none = { kinds, env: {}, sets: [] };

describe('what is generated from the schemas', () => {
  it('is on disk as the schemas say; npm run docs writes it anew', async () => {
    expect(await driftedFiles(root)).toEqual([]);
  });

  it('describes every key of every kind in a sentence', () => {
    const visit = (kind: ComponentKind, schema: ComponentKind['config']): void => {
      for (const [key, below] of keysOf(schema) ?? []) {
        expect(unwrap(below).notes.description, `${kind.type} ${key}`).toMatch(/\.$/);
        if (shapeOf(below) === 'table') visit(kind, below);
      }
    };
    for (const kind of [...kinds.inputs, ...kinds.outputs]) visit(kind, kind.config);
  });

  it('ships a configuration that takes what is pushed, and scrapes or tails nothing by itself', async () => {
    const loaded = await loadConfiguration({ ...none, directory: join(root, 'conf.d') });
    expect(loaded.ok ? loaded.warnings : loaded.problems).toEqual([]);
    expect(loaded.ok && loaded.configuration.inputs.map((input) => input.name)).toEqual([
      'inputs.otlp',
      'inputs.remote_write',
      'inputs.zipkin',
    ]);
    expect(loaded.ok && loaded.configuration.outputs).toEqual([]);
  });

  const samples = [...generatedFiles()].filter(([path]) => path.endsWith('.conf') && !path.endsWith('trawl.conf'));

  it.each(samples)(
    '%s is right with its block and any one of its commented keys switched on',
    async (path, content) => {
      const lines = content.replace(/^# \[\[/m, '[[').split('\n');
      const isKey = (line: string) => /^ *(?:# )?[\w"]+ = /.test(line);
      const keys = lines.flatMap((line, i) => (isKey(line) ? [i] : []));
      expect(keys.length).toBeGreaterThan(0);
      for (const chosen of keys) {
        const header = lines.findLastIndex((line, i) => i < chosen && /^ *# \[\w+\./.test(line));
        const text = lines.map((line, i) => {
          const isRequired =
            lines
              .slice(0, i)
              .findLast((earlier) => !earlier.includes('## ') || / Required\.$/.test(earlier))
              ?.endsWith(' Required.') === true;
          return i === chosen || i === header || (isKey(line) && isRequired) ? line.replace('# ', '') : line;
        });
        // A scrape needs an address and nothing to read but it; that is the only key that another one asks for.
        const address =
          path.endsWith('prom.conf') && !/ urls? = /.test(lines[chosen] ?? '')
            ? 'urls = ["http://127.0.0.1:1/metrics"]'
            : '';
        const body = text.join('\n').replace(/^(\[\[.*\]\])$/m, (line) => `${line}\n${address}`);
        const loaded = await loadFiles(
          { files: [{ file: path, content: body }], problems: [], warnings: [] },
          { ...none, env: { HOME: '/' } },
        );
        const told = loaded.ok
          ? []
          : loaded.problems
              .map(formatProblem)
              .filter((problem) => !/cannot be read|needs exactly one of/.test(problem));
        expect(told, lines[chosen]).toEqual([]);
      }
    },
  );

  it('ships a trawl.conf whose every commented key is right', async () => {
    const content = generatedFiles().get('conf.d/trawl.conf') ?? '';
    const active = content.replaceAll(/^( *)# (?=\w+ = )/gm, '$1').replaceAll(/\{ (?:file|env) = [^}]*\}/g, '"secret"');
    const loaded = await loadFiles(
      { files: [{ file: 'trawl.conf', content: active }], problems: [], warnings: [] },
      none,
    );
    expect(loaded.ok ? [] : loaded.problems.map(formatProblem)).toEqual([]);
  });
});

describe("a DataKit user's configuration", () => {
  const load = (files: Record<string, string>) =>
    loadFiles(
      { files: Object.entries(files).map(([file, content]) => ({ file, content })), problems: [], warnings: [] },
      { ...none, env: {} },
    );

  it('works unchanged: zipkin and Prometheus as the Bookinfo how-to has them', async () => {
    const loaded = await load({
      'zipkin.conf': '[[inputs.zipkin]]\n  pathV1 = "/api/v1/spans"\n  pathV2 = "/api/v2/spans"\n',
      'prom_istiod.conf': `[[inputs.prom]]
  url = "http://istiod.istio-system.svc.cluster.local:15014/metrics"
  source = "prom-istiod"
  metric_types = ["counter", "gauge", "histogram"]
  interval = "10s"
  #measurement_prefix = ""
  measurement_name = "istio_prom"
  #[[inputs.prom.measurements]]
  # prefix = "cpu_"
  # name ="cpu"
  [inputs.prom.tags]
  app_id = "istiod"
`,
    });
    expect(loaded.ok ? [] : loaded.problems.map(formatProblem)).toEqual([]);
    const prom = loaded.ok ? loaded.configuration.inputs.find((input) => input.kind.type === 'prom') : undefined;
    expect(prom?.config).toMatchObject({
      measurement_name: 'istio_prom',
      interval: 10_000,
      tags: { app_id: 'istiod' },
    });
  });

  it('runs with warnings where it asks for more: the container input with the keys of its sample', async () => {
    const loaded = await load({
      'container.conf': `[inputs.container]
  endpoints = ["unix:///var/run/docker.sock"]
  enable_container_metric = true
  enable_k8s_metric = true
  enable_pod_metric = false
  enable_k8s_event = true
  enable_k8s_node_local = true
  extract_k8s_label_as_tags_v2 = []
  container_include_log = []
  container_exclude_log = ["image:*logfwd*", "image:*datakit*"]
  kubernetes_url = "https://kubernetes.default:443"
  bearer_token = "/run/secrets/kubernetes.io/serviceaccount/token"
  election = true
  logging_enable_multiline = true
  logging_auto_multiline_detection = true
  logging_auto_multiline_extra_patterns = []
  logging_field_white_list = []
  logging_remove_ansi_escape_codes = false
  logging_blocking_mode = true
  [inputs.container.logging_extra_source_map]
  [inputs.container.logging_source_multiline_map]
  [inputs.container.tags]
`,
      'cpu.conf': '[[inputs.cpu]]\n  interval = "10s"\n',
    });
    expect(loaded.ok ? [] : loaded.problems.map(formatProblem)).toEqual([]);
    expect(loaded.ok && loaded.configuration.inputs.map((input) => input.name)).toEqual(['inputs.container_logs']);
    expect(loaded.warnings.length).toBeGreaterThanOrEqual(15);
  });
});
