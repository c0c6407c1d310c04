import { describe, expect, it } from 'vitest';
import type { Metric } from './promql-answer.ts';
import { metricText, shareLabels } from './promql-labels.ts';

describe('labels of several series', () => {
  it('are common where all have them alike, and tell the series apart where not', () => {
    const series = [
      { __name__: 'up', job: 'a', zone: 'x' },
      { __name__: 'up', job: 'b', zone: 'x', extra: '1' },
    ];
    expect(shareLabels(series)).toEqual({ common: { __name__: 'up', zone: 'x' }, differing: ['extra', 'job'] });
    expect(shareLabels([{ __name__: 'a', job: 'x' }, { __name__: 'b' }]).differing).toEqual(['__name__', 'job']);
    expect(shareLabels([{ job: 'x' }])).toEqual({ common: { job: 'x' }, differing: [] });
    expect(shareLabels([])).toEqual({ common: {}, differing: [] });
  });

  it('may be named as what every object has', () => {
    const series: Metric[] = [
      Object.fromEntries([
        ['constructor', 'a'],
        ['toString', 'x'],
      ]),
      Object.fromEntries([['toString', 'y']]),
    ];
    expect(shareLabels(series)).toEqual({ common: {}, differing: ['constructor', 'toString'] });
    expect(metricText(Object.fromEntries([['toString', 'y']]), ['constructor', 'toString'])).toBe('{toString="y"}');
  });

  it('are written as a selector to copy', () => {
    expect(metricText({ __name__: 'up', job: 'a"b\n', zone: 'x' })).toBe('up{job="a\\"b\\n", zone="x"}');
    expect(metricText({ __name__: 'up' })).toBe('up');
    expect(metricText({})).toBe('{}');
    expect(metricText({ __name__: 'http.requests', 'k8s.pod': 'p' })).toBe('{"http.requests", "k8s.pod"="p"}');
  });
});
