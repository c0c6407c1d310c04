import { describe, expect, it } from 'vitest';
import { createAnnotations } from '../annotations.ts';
import { unwrap } from '../ast.ts';
import { parsePromql } from '../parse/parse.ts';
import { type GridSeries, withoutName } from '../value.ts';
import { createMeter, type Evaluation } from './evaluation.ts';
import { matchVectors } from './matching.ts';

const text = 'a * on (group) b';
const grid = { startMs: 0, stepMs: 0, count: 1 };

/** What `matchVectors` is handed; nothing of it is evaluated further. */
const evaluation: Evaluation = {
  grid,
  whole: grid,
  lookbackMs: 300_000,
  defaultStepMs: 60_000,
  samples: new Map(),
  pushed: new Map(),
  annotations: createAnnotations(text),
  meter: createMeter(1_000_000),
  nameless: withoutName,
  evaluate() {
    throw new Error('both sides are evaluated already');
  },
};

describe('putting vectors together', () => {
  it('looks through the many side once, however many groups of the one side have two elements', () => {
    const groups = 300;
    let looks = 0;
    const many = Array.from(
      { length: groups },
      (_, i): GridSeries => ({
        labels: [['group', String(i)]],
        values: Float64Array.of(1),
        get isPresent() {
          looks++;
          return Uint8Array.of(1);
        },
      }),
    );
    const ones = Array.from(
      { length: 2 * groups },
      (_, i): GridSeries => ({
        labels: [
          ['group', String(i >> 1)],
          ['which', String(i % 2)],
        ],
        values: Float64Array.of(1),
        isPresent: Uint8Array.of(1),
      }),
    );
    const binary = unwrap(parsePromql(text).expression);
    if (binary.kind !== 'binary') throw new Error(`the query is a ${binary.kind}`);
    const sides = { left: series(many), right: series(ones), dropsName: true };
    expect(() => [...matchVectors(binary, sides, evaluation)]).toThrow('many-to-many matching not allowed');
    expect(looks).toBeLessThan(20 * groups);
  });
});

function series(of: readonly GridSeries[]) {
  return { kind: 'vector', series: of } as const;
}
