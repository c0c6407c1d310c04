// biome-ignore-all lint/suspicious/noTemplateCurlyInString: ${1} is how relabelling names a group.
import { describe, expect, it } from 'vitest';
import { relabel } from './relabel.ts';
import { createRelabelRules, type RelabelRuleConfig, relabelRule } from './relabel-config.ts';

const rule = (config: Partial<Record<keyof RelabelRuleConfig, unknown>>) => relabelRule.parse(config);
const apply = (labels: Record<string, string>, ...configs: Parameters<typeof rule>[0][]) => {
  const relabelled = relabel(new Map(Object.entries(labels)), createRelabelRules(configs.map(rule)));
  return relabelled && Object.fromEntries(relabelled);
};
const abc = { a: 'foo', b: 'bar', c: 'baz' };

describe('relabelling', () => {
  it('writes what the groups took into the target label, anchored at both ends', () => {
    expect(
      apply(abc, { source_labels: ['a'], regex: 'f(.*)', target_label: 'd', replacement: 'ch${1}-ch${1}' }),
    ).toEqual({ ...abc, d: 'choo-choo' });
    expect(apply(abc, { source_labels: ['a'], regex: 'o', target_label: 'd' })).toEqual(abc);
    expect(
      apply(abc, { source_labels: ['a', 'b'], regex: 'f(.*);(.*)r', target_label: 'a', replacement: 'b${1}${2}m' }),
    ).toEqual({ ...abc, a: 'boobam' });
  });

  it('takes the target label off where the result is empty, and adds one without a source', () => {
    expect(apply(abc, { source_labels: ['a'], regex: 'foo', target_label: 'b', replacement: '' })).toEqual({
      a: 'foo',
      c: 'baz',
    });
    expect(apply(abc, { target_label: 'd', replacement: 'x' })).toEqual({ ...abc, d: 'x' });
    expect(apply({ a: 'foo' }, { source_labels: ['missing'], regex: '(.*)', target_label: 'a' })).toEqual({});
  });

  it('takes names of groups, names of target labels from groups, and $$', () => {
    const source_labels = ['s'];
    const labels = { s: 'some-name-value' };
    expect(
      apply(labels, {
        source_labels,
        regex: 'some-(?P<key>[^-]+)-([^,]+)',
        target_label: '${key}',
        replacement: '$2',
      }),
    ).toEqual({ ...labels, name: 'value' });
    expect(apply(labels, { source_labels, target_label: 'd', replacement: '$$1 $1x ${1}x' })).toEqual({
      ...labels,
      d: '$1  some-name-valuex',
    });
  });

  it('keeps and drops whole label sets', () => {
    expect(apply(abc, { action: 'drop', source_labels: ['a'], regex: 'f.*' })).toBeUndefined();
    expect(apply(abc, { action: 'drop', source_labels: ['a'], regex: 'f' })).toEqual(abc);
    expect(apply(abc, { action: 'keep', source_labels: ['a'], regex: 'no-match' })).toBeUndefined();
    expect(apply(abc, { action: 'keep', source_labels: ['a', 'b'], separator: '/', regex: 'foo/b.r' })).toEqual(abc);
    const ports = { port: '80', wanted: '80', other: '81' };
    expect(apply(ports, { action: 'keepequal', source_labels: ['port'], target_label: 'wanted' })).toEqual(ports);
    expect(apply(ports, { action: 'keepequal', source_labels: ['port'], target_label: 'other' })).toBeUndefined();
    expect(apply(ports, { action: 'dropequal', source_labels: ['port'], target_label: 'wanted' })).toBeUndefined();
    expect(apply(ports, { action: 'dropequal', source_labels: ['port'], target_label: 'other' })).toEqual(ports);
  });

  it('maps, drops and keeps labels by their names', () => {
    const labels = { a: '1', __meta_x_my_name: 'v', b2: '3' };
    expect(apply(labels, { action: 'labelmap', regex: '__meta_x_(my.*)' })).toEqual({ ...labels, my_name: 'v' });
    expect(apply(labels, { action: 'labelmap', regex: '(b)(\\d)', replacement: '${1}_$2' })).toEqual({
      ...labels,
      b_2: '3',
    });
    expect(apply(labels, { action: 'labeldrop', regex: 'b.*' })).toEqual({ a: '1', __meta_x_my_name: 'v' });
    expect(apply(labels, { action: 'labelkeep', regex: 'b.*' })).toEqual({ b2: '3' });
  });

  it('writes values in one case, and the shard that Prometheus writes', () => {
    expect(
      apply({ foo: 'bAr123Foo' }, { action: 'lowercase', source_labels: ['foo'], target_label: 'lc' }),
    ).toMatchObject({ lc: 'bar123foo' });
    expect(
      apply({ foo: 'bAr123Foo' }, { action: 'UpperCase', source_labels: ['foo'], target_label: 'uc' }),
    ).toMatchObject({ uc: 'BAR123FOO' });
    const shard = { action: 'hashmod', source_labels: ['c'], target_label: 'd', modulus: 1000 };
    expect(apply(abc, shard)).toEqual({ ...abc, d: '976' });
    expect(apply({ a: 'foo\nbar' }, { ...shard, source_labels: ['a'], target_label: 'b' })).toMatchObject({ b: '734' });
  });

  it('takes newlines for characters, as Prometheus 3 does', () => {
    expect(apply({ a: 'x\ny' }, { source_labels: ['a'], target_label: 'b' })).toEqual({ a: 'x\ny', b: 'x\ny' });
  });

  it('refuses what Prometheus refuses', () => {
    for (const [config, why] of [
      [{ action: 'hashmod', target_label: 'a' }, 'modulus'],
      [{ source_labels: ['a'] }, 'target_label'],
      [{ action: 'lowercase', target_label: '$1' }, 'target_label'],
      [{ action: 'labeldrop', source_labels: ['a'] }, 'source_labels'],
      [{ action: 'labelkeep', replacement: 'x' }, 'replacement'],
      [{ action: 'keepequal', target_label: 'a', regex: 'x' }, 'regex'],
      [{ action: 'drop', regex: '(' }, 'regex'],
      [{ action: 'explode' }, 'action'],
    ] satisfies [Parameters<typeof rule>[0], string][]) {
      const result = relabelRule.safeParse(config);
      expect(result.success ? 'accepted' : result.error.issues[0]?.path[0]).toBe(why);
    }
  });
});
