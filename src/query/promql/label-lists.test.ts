import { describe, expect, it } from 'vitest';
import type { Label } from '../../model/sample.ts';
import { createMeter } from './evaluate/evaluation.ts';
import { type LabelList, listOf } from './label-lists.ts';

type Labels = readonly Label[];

const labelsOf = (name: string, i: number): Labels => [
  ['__name__', name],
  ['i', String(i).padStart(3, '0')],
  ['svc', `svc-${i % 7}`],
];

const seriesOf = (labels: readonly Labels[]): { readonly labels: Labels }[] => labels.map((own) => ({ labels: own }));

const many = (name: string): Labels[] => Array.from({ length: 50 }, (_, i) => labelsOf(name, i));

/** What a method of a list gives, and how often it yielded. */
function result<T>(steps: Generator<undefined, T, undefined>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

const meter = createMeter(0);
const bySvc = {
  key: 'test by svc',
  derive: (labels: Labels): Labels => labels.filter(([name]) => name === 'svc'),
};
const groupsOf = (list: LabelList) => result(list.groupsBy(bySvc, meter));

describe('the list of labels of a vector', () => {
  it('is known again by its arrays, and by no others', () => {
    const labels = many('a');
    const list = listOf(seriesOf(labels));
    expect(listOf(seriesOf(labels))).toBe(list);
    expect(listOf(seriesOf(labels.slice(0, 40)))).not.toBe(list);
    expect(listOf(seriesOf(labels))).toBe(list);
    expect(listOf(seriesOf(labels.map((own, i) => (i === 30 ? [...own] : own))))).not.toBe(list);
  });

  it('is kept while it is asked for, whatever else comes and goes', () => {
    const used = seriesOf(many('used'));
    const list = listOf(used);
    const unused = seriesOf(many('unused'));
    const forgotten = listOf(unused);
    for (let i = 0; i < 30; i++) {
      listOf(seriesOf([labelsOf('large', i), ...new Array<Labels>(20_000).fill(labelsOf('large', 1000))]));
      expect(listOf(used)).toBe(list);
    }
    expect(listOf(unused)).not.toBe(forgotten);
    for (let i = 1; i < 40; i++) {
      listOf(used.slice(0, 16 + (i % 30)));
      expect(listOf(used)).toBe(list);
    }
  });

  it('says whether it is in order, unique and of one name', () => {
    const labels = many('a');
    const [first = [], ...others] = labels;
    const facts = (of: readonly Labels[]) => {
      const list = listOf(seriesOf(of));
      return [result(list.ascends(meter)), result(list.isUnique(meter)), result(list.hasOneName(meter))];
    };
    expect(facts(labels)).toEqual([true, true, true]);
    expect(facts([...others, first])).toEqual([false, true, true]);
    expect(facts([first, ...labels])).toEqual([false, false, true]);
    expect(facts([...labels, labelsOf('b', 0)])).toEqual([true, true, false]);
    const list = listOf(seriesOf([...others, first]));
    expect(result(list.order(meter)).slice(0, 3)).toEqual([49, 0, 1]);
  });

  it('gives the same array for what is derived from the same labels, in whatever list', () => {
    const labels = many('a');
    const nameless = result(listOf(seriesOf(labels)).nameless(meter));
    expect(nameless[3]).toEqual(labels[3]?.slice(1));
    const part = result(listOf(seriesOf(labels.slice(3))).nameless(meter));
    expect(part[0]).toBe(nameless[3]);
  });

  it('groups its labels in the order in which groups begin, by arrays that are the same query after query', () => {
    const labels = many('a');
    const { labels: groups, groupOf } = groupsOf(listOf(seriesOf(labels)));
    expect(groups).toHaveLength(7);
    expect([...groupOf].every((group, i) => group === i % 7)).toBe(true);
    const part = groupsOf(listOf(seriesOf(labels.slice(5))));
    expect(part.labels[0]).toBe(groups[5]);
    // What was derived of other labels, and equals it, stands for the same group.
    const other = groupsOf(listOf(seriesOf([...many('b'), ...labels])));
    expect(other.labels).toHaveLength(7);
  });
});
