import { describe, expect, it } from 'vitest';
import { promInput } from './index.ts';
import { createTargets, type TargetExtras } from './target.ts';

const url = 'http://10.0.0.1:15020/stats/prometheus?filter=istio';
function make(config: Record<string, unknown> = {}, extras: Partial<TargetExtras> = {}) {
  const parsed = promInput.config.parse({ urls: [url], ...config });
  return createTargets(parsed, { origin: 'inputs.prom', ...extras });
}
function makeOne(config: Record<string, unknown> = {}, extras: Partial<TargetExtras> = {}) {
  const [made] = make(config, extras);
  if (made?.kind !== 'target') throw new Error(`no target: ${JSON.stringify(made)}`);
  return made.target;
}

describe('targets', () => {
  it('takes url and urls alike, each address once', () => {
    const made = make({ url: 'http://b/metrics', urls: [url, url, 'http://a/metrics'] });
    expect(made.map((one) => (one.kind === 'target' ? one.target.url.href : one.kind))).toEqual([
      url,
      'http://a/metrics',
      'http://b/metrics',
    ]);
  });

  it('gives labels of the block before those of discovery, and those before job and instance', () => {
    const discovered = new Map([
      ['namespace', 'default'],
      ['job', 'default/reviews'],
      ['__meta_kubernetes_pod_name', 'reviews-1'],
    ]);
    const { labels } = makeOne({ source: 'mesh', tags: { namespace: 'mine', team: 'a' } }, { discovered });
    expect(Object.fromEntries(labels)).toEqual({
      namespace: 'mine',
      job: 'default/reviews',
      team: 'a',
      instance: '10.0.0.1:15020',
    });
  });

  it('relabels a target: where it is, what it is asked, how often, and its labels', () => {
    const discovered = new Map([['__meta_kubernetes_pod_annotation_prometheus_io_port', '9090']]);
    const target = makeOne(
      {
        interval: '30s',
        relabel_configs: [
          {
            source_labels: ['__address__', '__meta_kubernetes_pod_annotation_prometheus_io_port'],
            regex: '([^:]+)(?::\\d+)?;(\\d+)',
            replacement: '$1:$2',
            target_label: '__address__',
          },
          { target_label: '__metrics_path__', replacement: '/m' },
          { target_label: '__param_filter', replacement: 'envoy' },
          { target_label: '__scrape_interval__', replacement: '5s' },
          { target_label: 'mesh', replacement: 'main' },
          { target_label: '__tmp', replacement: 'gone' },
        ],
      },
      { discovered },
    );
    expect(target.url.href).toBe('http://10.0.0.1:9090/m?filter=envoy');
    expect(target).toMatchObject({ intervalMs: 5000, timeoutMs: 5000 });
    expect(Object.fromEntries(target.labels)).toEqual({ job: 'prom', instance: '10.0.0.1:9090', mesh: 'main' });
    expect(target.discoveredLabels.get('__address__')).toBe('10.0.0.1:15020');
    expect(target.discoveredLabels.get('__scrape_interval__')).toBe('30s');
  });

  it('leaves out what a rule drops, and refuses what cannot be scraped', () => {
    expect(
      make({ relabel_configs: [{ action: 'drop', source_labels: ['__address__'], regex: '10\\..*' }] }),
    ).toMatchObject([{ kind: 'left_out', url }]);
    for (const [name, value, why] of [
      ['__address__', 'a b', 'cannot be scraped'],
      ['__scheme__', 'file', 'cannot be scraped'],
      ['__address__', 'user@host', 'cannot be scraped'],
      ['__scrape_interval__', 'often', '__scrape_interval__'],
    ] as const) {
      const [made] = make({ relabel_configs: [{ target_label: name, replacement: value }] });
      expect(made?.kind === 'refused' ? made.why : made?.kind).toContain(why);
    }
  });

  it('stays at its address where it must', () => {
    const rules = { relabel_configs: [{ target_label: '__address__', replacement: '169.254.169.254' }] };
    expect(make(rules, { isAddressFixed: true })).toMatchObject([
      { kind: 'refused', why: expect.stringContaining('169.254.169.254') },
    ]);
  });

  it('moves an interval into its limits, as DataKit does', () => {
    expect(makeOne({ interval: '100ms' })).toMatchObject({ intervalMs: 1000, timeoutMs: 1000 });
    expect(makeOne({ interval: '1h', timeout: '10m' })).toMatchObject({ intervalMs: 300_000, timeoutMs: 300_000 });
  });

  it('has another fingerprint where anything of it is different, its secrets too', () => {
    const prints = [
      {},
      { interval: '10s' },
      { tags: { a: '1' } },
      { auth: { token: 'a' } },
      { auth: { token: 'b' } },
      { metric_types: ['gauge'] },
    ].map((config) => makeOne(config).fingerprint);
    expect(new Set(prints).size).toBe(prints.length);
    expect(makeOne().fingerprint).toBe(prints[0]);
  });

  it("lets an empty label of the page's stand for none with honor_labels, as the Pushgateway means it", () => {
    const labelsOf = (config: Record<string, unknown>) => {
      const exposed = { name: 'm', labels: [['__name__', 'm'] as const], family: 'm', type: 'gauge' as const };
      const series = makeOne(config).rules.seriesOf({ ...exposed, emptyLabels: ['instance', 'other'] });
      return Object.fromEntries(series?.labels ?? []);
    };
    expect(labelsOf({ honor_labels: true })).toEqual({ __name__: 'm', job: 'prom' });
    expect(labelsOf({})).toEqual({ __name__: 'm', job: 'prom', instance: '10.0.0.1:15020' });
  });
});
