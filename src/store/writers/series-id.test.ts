import { describe, expect, it } from 'vitest';
import { createSeries, type Label } from '../../model/sample.ts';
import { seriesId } from './series-id.ts';

const idOf = (...labels: Label[]) => seriesId(createSeries([['__name__', 'm'], ...labels]));

describe('the id of a series', () => {
  it('is the same for the same labels in any order, and for another object of them', () => {
    expect(idOf(['a', '1'], ['b', '2'])).toBe(idOf(['b', '2'], ['a', '1']));
  });

  it('is another one for other labels, whatever characters they were made up of', () => {
    const ids = [
      idOf(['a', 'b'], ['c', 'd']),
      idOf(['a', 'b\u0000c\u0000d']),
      idOf(['a\u0000b', 'c\u0000d']),
      idOf(['a\u0000b\u0000c', 'd']),
      idOf(['a', 'b1 1 cd']),
      idOf(['a', 'bcd']),
    ];
    expect(new Set(ids).size).toBe(ids.length);
  });
});
