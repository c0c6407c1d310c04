import { describe, expect, it } from 'vitest';
import { createRandom } from '../../test/fixtures/random.ts';
import { bookinfo, type SpanSketch, sketchTrace } from '../../test/fixtures/sketched-trace.ts';
import { buildTree, type TraceNode } from './trace-tree.ts';

const treeOf = (...sketches: SpanSketch[]) => buildTree(sketchTrace(...sketches));
/** The tree as lines such as `  2 child`. */
const outline = (nodes: readonly TraceNode[]) =>
  nodes.map(({ span, depth, standing }) => `${'  '.repeat(depth)}${Number(`0x${span.id}`)} ${standing}`);
const nodeOf = (nodes: readonly TraceNode[], id: number) => nodes.find(({ span }) => Number(`0x${span.id}`) === id);

describe('the tree of a trace', () => {
  it('has each span below its caller, siblings by start', () => {
    const { nodes } = treeOf(
      { id: 3, parent: 1, start: 5 },
      { id: 2, parent: 1, start: 1 },
      { id: 1 },
      { id: 4, parent: 2, start: 2 },
    );
    expect(outline(nodes)).toEqual(['1 root', '  2 child', '    4 child', '  3 child']);
  });

  it('hangs the server half of a shared span below the client half, and what the server called below the server half', () => {
    const { nodes } = treeOf(
      { id: 1, service: 'a', kind: 'CLIENT', duration: 100 },
      { id: 1, service: 'b', kind: 'SERVER', shared: true, start: 10, duration: 80 },
      { id: 2, service: 'b', parent: 1, start: 20, duration: 10 },
      { id: 3, service: 'a', parent: 1, start: 1, duration: 2 },
    );
    expect(nodes.map(({ span, depth }) => `${depth} ${span.localEndpoint?.serviceName} ${Number(span.id)}`)).toEqual([
      '0 a 1',
      '1 a 3',
      '1 b 1',
      '2 b 2',
    ]);
  });

  it('tells the halves of a call apart where nobody said that they share an id', () => {
    const { nodes } = treeOf({ id: 1, service: 'a', kind: 'CLIENT' }, { id: 1, service: 'b', kind: 'SERVER' });
    expect(outline(nodes)).toEqual(['1 root', '  1 child']);
  });

  it('puts the reports of one span together', () => {
    const [begun, ended] = sketchTrace({ id: 1, duration: 50 }, { id: 1, duration: 50, error: true });
    if (begun === undefined || ended === undefined) throw new Error('no spans');
    const { nodes } = buildTree([
      { ...begun, durationUs: undefined },
      { ...ended, name: '' },
    ]);
    expect(nodes.map(({ span }) => [span.name, span.durationUs, span.status])).toEqual([[begun.name, 50_000, 'error']]);
  });

  it('says which spans have lost their caller, and which call each other in a ring', () => {
    const { nodes } = treeOf(
      { id: 1 },
      { id: 2, parent: 99, start: 5 },
      { id: 3, parent: 4, start: 9 },
      { id: 4, parent: 5, start: 7 },
      { id: 5, parent: 3, start: 8 },
    );
    expect(outline(nodes)).toEqual(['1 root', '2 orphan', '4 loop', '  3 child', '    5 child']);
  });

  it('moves a server whose clock is seconds off into the middle of its call, with what it called itself', () => {
    const { nodes, startUs, endUs } = treeOf(
      { id: 1, service: 'a', kind: 'CLIENT', start: 0, duration: 100 },
      { id: 2, parent: 1, service: 'b', kind: 'SERVER', start: -5000, duration: 80 },
      { id: 3, parent: 2, service: 'b', kind: 'CLIENT', start: -4990, duration: 50 },
      { id: 4, parent: 3, service: 'c', kind: 'SERVER', start: 22, duration: 40 },
    );
    const root = nodeOf(nodes, 1)?.startUs ?? 0;
    expect([2, 3, 4].map((id) => (nodeOf(nodes, id)?.startUs ?? 0) - root)).toEqual([10_000, 20_000, 22_000]);
    expect(nodeOf(nodes, 2)?.shiftUs).toBe(5_010_000);
    expect(endUs - startUs).toBe(100_000);
  });

  it('takes no span for skewed that ends a moment after its call, goes on longer than it, or received a message', () => {
    const { nodes } = treeOf(
      { id: 1, service: 'a', kind: 'CLIENT', duration: 100 },
      { id: 2, parent: 1, service: 'b', kind: 'SERVER', start: 50, duration: 50.9 },
      { id: 3, parent: 1, service: 'c', kind: 'SERVER', start: 50, duration: 500 },
      { id: 4, parent: 1, service: 'd', kind: 'CONSUMER', start: 300, duration: 10 },
    );
    expect(nodes.map(({ shiftUs }) => shiftUs)).toEqual([0, 0, 0, 0]);
  });

  it('places spans without a time at their caller, and bears a trace without any', () => {
    const [root, child] = sketchTrace({ id: 1, start: 5, duration: 10 }, { id: 2, parent: 1 });
    if (root === undefined || child === undefined) throw new Error('no spans');
    const { nodes } = buildTree([root, { ...child, startUs: undefined, durationUs: undefined }]);
    expect(nodes[1]).toMatchObject({ isTimed: false, startUs: root.startUs });
    expect(buildTree([{ ...child, startUs: undefined }])).toMatchObject({ startUs: 0, endUs: 0 });
    expect(buildTree([])).toMatchObject({ nodes: [], startUs: 0 });
  });

  it('has every span exactly once, whatever spans come', () => {
    const seed = 9_529;
    const random = createRandom(seed);
    for (let round = 0; round < 300; round++) {
      const size = 1 + Math.floor(random() * 12);
      const sketches = Array.from(
        { length: size },
        (_, i): SpanSketch => ({
          id: random() < 0.8 ? i + 1 : 1 + Math.floor(random() * size),
          parent: random() < 0.8 ? 1 + Math.floor(random() * (size + 2)) : undefined,
          service: `s${Math.floor(random() * 3)}-${i}`,
          kind: (['CLIENT', 'SERVER', 'CONSUMER', undefined] as const)[Math.floor(random() * 4)],
          shared: random() < 0.2,
          start: random() * 100 - 50,
          duration: random() * 100,
        }),
      );
      const spans = sketchTrace(...sketches);
      const { nodes, tops } = buildTree(spans);
      expect(new Set(nodes.map(({ span }) => span)).size, `seed ${seed}, round ${round}`).toBe(spans.length);
      expect(nodes).toHaveLength(spans.length);
      expect(tops.length).toBeGreaterThan(0);
    }
  });

  it('stands a chain of 20,000 spans', () => {
    const { nodes } = treeOf(
      ...Array.from({ length: 20_000 }, (_, i) => ({ id: i + 1, parent: i === 0 ? undefined : i })),
    );
    expect(nodes.at(-1)?.depth).toBe(19_999);
  });

  it('keeps an order of its own for what was reported in any', () => {
    const forward = buildTree(bookinfo());
    const backward = buildTree(bookinfo().reverse());
    expect(outline(backward.nodes)).toEqual(outline(forward.nodes));
  });
});
