import { describe, expect, it } from 'vitest';
import { compilePattern } from '../../pattern/pattern.ts';
import { type LabelRules, mergeLabels } from './labels.ts';

const none: LabelRules = {
  ignored: new Set(),
  ignoredValues: new Map(),
  renames: new Map(),
  renameOverwrites: false,
  honorsScraped: false,
};
const merge = (scraped: Record<string, string>, target: Record<string, string>, rules: Partial<LabelRules> = {}) =>
  Object.fromEntries(mergeLabels(Object.entries(scraped), new Map(Object.entries(target)), { ...none, ...rules }));

describe('labels', () => {
  it("lets the target's labels win and keeps the scraped one as exported_", () => {
    expect(merge({ job: 'own', path: '/' }, { job: 'prom' })).toEqual({ job: 'prom', exported_job: 'own', path: '/' });
  });

  it('prefixes again while the exported name is taken', () => {
    expect(merge({ job: 'a', exported_job: 'b' }, { job: 't' })).toEqual({
      job: 't',
      exported_job: 'b',
      exported_exported_job: 'a',
    });
    expect(merge({ job: 'a', exported_job: 'b' }, { job: 't', exported_job: 'u' })).toEqual({
      job: 't',
      exported_job: 'u',
      exported_exported_job: 'a',
      exported_exported_exported_job: 'b',
    });
  });

  it('keeps scraped labels and fills in the missing ones with honor_labels', () => {
    expect(merge({ job: 'own' }, { job: 'prom', instance: 'h:1' }, { honorsScraped: true })).toEqual({
      job: 'own',
      instance: 'h:1',
    });
  });

  it('takes an empty label for an absent one', () => {
    expect(merge({ job: '', a: '' }, { job: 'prom' })).toEqual({ job: 'prom' });
  });

  it('drops ignored labels and those whose value matches, and keeps the series', () => {
    const health = compilePattern('^/health', { isAnchored: false });
    const rules = {
      ignored: new Set(['pod']),
      ignoredValues: new Map([['path', health.ok ? [health.pattern] : []]]),
    };
    expect(merge({ pod: 'p', path: '/healthz', a: '1' }, {}, rules)).toEqual({ a: '1' });
    expect(merge({ path: '/api' }, {}, rules)).toEqual({ path: '/api' });
  });

  it('renames, and leaves alone what would overwrite unless told to', () => {
    const renames = new Map([['from', 'to']]);
    expect(merge({ from: '1' }, {}, { renames })).toEqual({ to: '1' });
    expect(merge({ from: '1', to: '2' }, {}, { renames })).toEqual({ from: '1', to: '2' });
    expect(merge({ from: '1', to: '2' }, {}, { renames, renameOverwrites: true })).toEqual({ to: '1' });
    const swap = new Map([
      ['a', 'b'],
      ['b', 'c'],
    ]);
    expect(merge({ a: '1' }, {}, { renames: swap })).toEqual({ b: '1' });
  });
});
