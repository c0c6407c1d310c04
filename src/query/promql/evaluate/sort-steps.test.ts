import { describe, expect, it } from 'vitest';
import { createRandom } from '../../../../test/fixtures/random.ts';
import { createMeter } from './evaluation.ts';
import { sortInSteps } from './sort-steps.ts';

function sorted(items: readonly (readonly [number, number])[]) {
  const steps = sortInSteps(items, (a, b) => a[0] - b[0], createMeter(0));
  for (let yields = 0; ; yields++) {
    const step = steps.next();
    if (step.done === true) return { value: step.value, yields };
  }
}

describe('sorting in steps', () => {
  it('gives what sorting at once gives, equal items in the order they had', () => {
    const random = createRandom(20261121);
    for (const length of [0, 1, 2, 511, 512, 513, 1500, 20_000]) {
      const items = Array.from({ length }, (_, i) => [Math.floor(random() * length * 0.3), i] as const);
      expect(sorted(items).value, `${length}`).toEqual([...items].sort((a, b) => a[0] - b[0]));
    }
  });

  it('gives turns in between, and gives back what is in order', () => {
    const items = Array.from({ length: 50_000 }, (_, i) => [50_000 - i, i] as const);
    expect(sorted(items).yields).toBeGreaterThan(50);
    const inOrder = [...items].reverse();
    expect(sorted(inOrder).value).toBe(inOrder);
  });
});
