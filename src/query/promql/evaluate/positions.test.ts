import { describe, expect, it } from 'vitest';
import { createRandom } from '../../../../test/fixtures/random.ts';
import { countUntil, countUntilNear } from './positions.ts';

describe('counting timestamps', () => {
  it('gives the same whatever is guessed', () => {
    const random = createRandom(20261122);
    for (let round = 0; round < 300; round++) {
      let timeMs = 0;
      const timestampsMs = Float64Array.from({ length: Math.floor(random() * 40) }, () => {
        timeMs += 1 + Math.floor(random() * 5);
        return timeMs;
      });
      const untilMs = Math.floor(random() * (timeMs + 4)) - 1;
      const expected = timestampsMs.filter((each) => each <= untilMs).length;
      expect(countUntil(timestampsMs, untilMs)).toBe(expected);
      for (let guess = -2; guess < timestampsMs.length + 3; guess++) {
        expect(countUntilNear(timestampsMs, untilMs, guess), `round ${round}, guess ${guess}`).toBe(expected);
      }
    }
  });
});
