import { describe, expect, it } from 'vitest';
import { JsonListError, listElements } from './json-list.ts';

describe('the elements of a JSON list', () => {
  it('are what stands between the commas, as it is written', () => {
    expect(listElements(' [ {"a":[1,2,"],["]} , 1.50, "x\\"," ,[[]] ] ')).toEqual([
      '{"a":[1,2,"],["]}',
      '1.50',
      '"x\\","',
      '[[]]',
    ]);
    expect(listElements('[]')).toEqual([]);
    expect(listElements('[{"n":9007199254740993}]')).toEqual(['{"n":9007199254740993}']);
  });

  it.each([
    ['{}', 0],
    ['', 0],
    ['[1', 2],
    ['[1,]', 3],
    ['[,1]', 1],
    ['["a]', 1],
    ['[{"a":1]', 8],
  ])('are refused where there is no list: %s', (text, position) => {
    try {
      listElements(text);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(JsonListError);
      expect(error).toMatchObject({ position });
    }
  });
});
