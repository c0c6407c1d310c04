import { describe, expect, it } from 'vitest';
import { createRandom } from '../../test/fixtures/random.ts';
import { bookinfo, type SpanSketch, sketchStartUs, sketchTrace } from '../../test/fixtures/sketched-trace.ts';
import { findCriticalPath } from './critical-path.ts';
import { buildTree } from './trace-tree.ts';

/** The path as `ID START-END` in milliseconds, from the beginning; and the gap. */
function pathOf(...sketches: SpanSketch[]) {
  const { segments, gapUs } = findCriticalPath(buildTree(sketchTrace(...sketches)));
  const ms = (us: number) => (us - sketchStartUs) / 1000;
  const path = segments
    .map(({ node, startUs, endUs }) => `${Number(`0x${node.span.id}`)} ${ms(startUs)}-${ms(endUs)}`)
    .reverse();
  return { path, gapMs: gapUs / 1000 };
}

describe('the critical path', () => {
  it('is a lone span from its start to its end', () => {
    expect(pathOf({ id: 1, duration: 10 })).toEqual({ path: ['1 0-10'], gapMs: 0 });
  });

  it('goes through calls one after the other, and leaves out what ran beside a longer one', () => {
    const { path } = pathOf(
      { id: 1, duration: 100 },
      { id: 2, parent: 1, start: 10, duration: 20 },
      { id: 3, parent: 1, start: 40, duration: 50 },
      { id: 4, parent: 1, start: 45, duration: 10 },
    );
    expect(path).toEqual(['1 0-10', '2 10-30', '1 30-40', '3 40-90', '1 90-100']);
  });

  it('takes, of overlapping calls, the last to end, and before it the last that had ended when it began', () => {
    const { path } = pathOf(
      { id: 1, duration: 100 },
      { id: 2, parent: 1, start: 0, duration: 50 },
      { id: 3, parent: 1, start: 30, duration: 60 },
      { id: 4, parent: 1, start: 5, duration: 20 },
    );
    expect(path).toEqual(['1 0-5', '4 5-25', '1 25-30', '3 30-90', '1 90-100']);
  });

  it('goes down to the callee that kept the caller waiting', () => {
    const { path } = pathOf(
      { id: 1, service: 'a', duration: 100 },
      { id: 2, parent: 1, service: 'a', kind: 'CLIENT', start: 10, duration: 80 },
      { id: 3, parent: 2, service: 'b', kind: 'SERVER', start: 20, duration: 60 },
    );
    expect(path).toEqual(['1 0-10', '2 10-20', '3 20-80', '2 80-90', '1 90-100']);
  });

  it('cuts a server off at the end of its call, whose last bytes it still counts as its own', () => {
    const { path } = pathOf(
      { id: 1, service: 'a', kind: 'CLIENT', duration: 100 },
      { id: 2, parent: 1, service: 'b', kind: 'SERVER', start: 20, duration: 80.5 },
      { id: 3, service: 'z', duration: 200 },
      { id: 4, parent: 3, service: 'a', kind: 'CLIENT', start: 100, duration: 20 },
    );
    expect(path).toEqual(['3 0-100', '4 100-120', '3 120-200']);
    expect(
      pathOf(
        { id: 3, service: 'z', duration: 200 },
        { id: 1, parent: 3, service: 'z', kind: 'CLIENT', duration: 100 },
        { id: 2, parent: 1, service: 'b', kind: 'SERVER', start: 20, duration: 80.5 },
      ).path,
    ).toEqual(['1 0-20', '2 20-100', '3 100-200']);
  });

  it('does not wait for work that outlives who began it', () => {
    const { path } = pathOf(
      { id: 1, duration: 100 },
      { id: 2, parent: 1, start: 10, duration: 30 },
      { id: 3, parent: 2, start: 20, duration: 60 },
      { id: 4, parent: 1, start: 50, duration: 20 },
    );
    expect(path).toEqual(['1 0-10', '2 10-40', '1 40-50', '4 50-70', '1 70-100']);
  });

  it('follows a message from its receiver over the queue to its sender', () => {
    const { path, gapMs } = pathOf(
      { id: 1, service: 'shop', kind: 'SERVER', duration: 50 },
      { id: 2, parent: 1, service: 'shop', kind: 'PRODUCER', start: 20, duration: 5 },
      { id: 3, parent: 2, service: 'mailer', kind: 'CONSUMER', start: 100, duration: 40 },
    );
    expect(path).toEqual(['1 0-20', '2 20-25', '3 100-140']);
    expect(gapMs).toBe(75);
  });

  it('begins with the work that went on after the answer, at the moment it was begun', () => {
    const { path } = pathOf(
      { id: 1, duration: 100 },
      { id: 2, parent: 1, start: 30, duration: 200 },
      { id: 3, parent: 2, start: 50, duration: 100 },
      { id: 4, parent: 1, start: 60, duration: 20 },
    );
    expect(path).toEqual(['1 0-30', '2 30-50', '3 50-150', '2 150-230']);
  });

  it('counts a span whose caller is missing among the calls of the root that it lies in', () => {
    const { path } = pathOf(
      { id: 1, service: 'a', duration: 100 },
      { id: 2, parent: 77, service: 'b', start: 20, duration: 60 },
    );
    expect(path).toEqual(['1 0-20', '2 20-80', '1 80-100']);
  });

  it('goes over from one root to the other that ended before, with the gap between them', () => {
    expect(pathOf({ id: 1, duration: 40 }, { id: 2, start: 60, duration: 40 })).toEqual({
      path: ['1 0-40', '2 60-100'],
      gapMs: 20,
    });
  });

  it('is the chain through the second try of a page whose first try failed', () => {
    const { ownUs } = findCriticalPath(buildTree(bookinfo()));
    const own = [...ownUs]
      .map(([{ span }, us]) => [Number(`0x${span.id}`), us])
      .sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0));
    expect(own).toEqual([
      [1, 39_400],
      [2, 1_800],
      [3, 12_400],
      [4, 1_800],
      [5, 18_800],
      [6, 2_100],
      [7, 98_000],
      [8, 2_900],
      [9, 44_500],
      [10, 2_600],
      [11, 188_000],
    ]);
  });

  it('covers the whole time of any trace once, with what it calls a gap', () => {
    const seed = 15_006;
    const random = createRandom(seed);
    const kinds = ['CLIENT', 'SERVER', 'PRODUCER', 'CONSUMER', undefined] as const;
    for (let round = 0; round < 500; round++) {
      const size = 1 + Math.floor(random() * 15);
      const spans = sketchTrace(
        ...Array.from({ length: size }, (_, i) => ({
          id: i + 1,
          parent: random() < 0.85 ? 1 + Math.floor(random() * (size + 1)) : undefined,
          service: `s${Math.floor(random() * 3)}`,
          kind: kinds[Math.floor(random() * kinds.length)],
          start: Math.floor(random() * 100),
          duration: Math.floor(random() * 60),
        })),
      );
      const tree = buildTree(spans);
      const { segments, gapUs, ownUs } = findCriticalPath(tree);
      const where = `seed ${seed}, round ${round}`;
      let atUs = tree.endUs;
      for (const { node, startUs, endUs } of segments) {
        expect(endUs, where).toBeLessThanOrEqual(atUs);
        expect(startUs, where).toBeLessThan(endUs);
        expect(startUs, where).toBeGreaterThanOrEqual(node.startUs);
        expect(endUs, where).toBeLessThanOrEqual(node.endUs);
        atUs = startUs;
      }
      const sum = [...ownUs.values()].reduce((total, us) => total + us, 0);
      expect(sum + gapUs, where).toBe(tree.endUs - tree.startUs);
    }
  });

  it('of 20,000 spans is found, be they side by side, in a chain or without callers', () => {
    const count = 20_000;
    for (const parent of [() => 1, (i: number) => i, () => 999_999]) {
      const sketches = Array.from({ length: count }, (_, i) => ({
        id: i + 1,
        parent: i === 0 ? undefined : parent(i),
        start: i / 1000,
        duration: i === 0 ? 500 : 0.5,
        service: 's',
      }));
      const tree = buildTree(sketchTrace(...sketches));
      expect(findCriticalPath(tree).segments.length).toBeGreaterThan(0);
    }
  });
});
