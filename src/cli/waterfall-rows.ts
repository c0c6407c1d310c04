/** Which spans of a trace are drawn, in what order, and the guides before their names. */
import type { CriticalPath } from './critical-path.ts';
import type { TraceNode, TraceTree } from './trace-tree.ts';

export type Row =
  | {
      readonly kind: 'span';
      readonly node: TraceNode;
      readonly guides: string;
      /** How many spans below it are left out, where all of them are. */
      readonly hiddenBelow: number;
    }
  /** Stands behind those of a caller's spans that are drawn, for the others with all that is below them. */
  | { readonly kind: 'hidden'; readonly count: number; readonly guides: string };

/** Deeper spans stand below each other. */
const deepestGuide = 12;

/** The rows of a trace: all of it, or the `limit` spans that tell most, each with its callers. */
export function chooseRows(tree: TraceTree, path: CriticalPath, limit: number | undefined): Row[] {
  const chosen = limit === undefined || tree.nodes.length <= limit ? undefined : choose(tree, path, limit);
  const isShown = (node: TraceNode) => chosen === undefined || chosen.has(node);
  const hiddenBelow = chosen === undefined ? new Map<TraceNode | undefined, number>() : countHidden(tree, chosen);
  const rows: Row[] = [];
  type Open = Row | { readonly kind: 'open'; readonly node: TraceNode; readonly lead: string; readonly guides: string };
  const stack: Open[] = [];
  /** Puts what stands below a span on the stack, the last first. */
  const enter = (below: readonly TraceNode[], caller: TraceNode | undefined, lead: string) => {
    const shown = below.filter(isShown);
    const hidden = shown.length === 0 ? 0 : (hiddenBelow.get(caller) ?? 0);
    const isTop = caller === undefined;
    const hasRoom = lead.length < 2 * deepestGuide;
    if (hidden > 0)
      stack.push({ kind: 'hidden', count: hidden, guides: isTop ? '' : hasRoom ? `${lead}└ ` : `${lead}… ` });
    for (let i = shown.length - 1; i >= 0; i--) {
      const node = shown[i];
      if (node === undefined) continue;
      const isLast = i === shown.length - 1 && hidden === 0;
      const guides = isTop ? '' : hasRoom ? `${lead}${isLast ? '└ ' : '├ '}` : `${lead}… `;
      stack.push({ kind: 'open', node, guides, lead: isTop || !hasRoom ? lead : `${lead}${isLast ? '  ' : '│ '}` });
    }
  };
  enter(tree.tops, undefined, '');
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    if (next.kind !== 'open') rows.push(next);
    else {
      const { node, guides } = next;
      const isLeaf = !node.children.some(isShown);
      rows.push({ kind: 'span', node, guides, hiddenBelow: isLeaf ? (hiddenBelow.get(node) ?? 0) : 0 });
      enter(next.node.children, next.node, next.lead);
    }
  }
  return rows;
}

/** The critical path first, by its spans' parts in it; then errors, in the tree's order; then the longest. */
function choose({ nodes, tops }: TraceTree, path: CriticalPath, limit: number): ReadonlySet<TraceNode> {
  const chosen = new Set<TraceNode>();
  const add = (node: TraceNode) => {
    const way: TraceNode[] = [];
    for (let at: TraceNode | undefined = node; at !== undefined && !chosen.has(at); at = at.parent) {
      way.push(at);
      if (chosen.size + way.length > limit) return;
    }
    for (const passed of way) chosen.add(passed);
  };
  const length = (node: TraceNode) => node.endUs - node.startUs;
  if (tops[0] !== undefined) add(tops[0]);
  // A path of thousands of spans must leave room for the error among them.
  const groups = [
    { most: limit / 2, list: () => [...path.ownUs].sort(([, a], [, b]) => b - a).map(([node]) => node) },
    { most: (limit * 3) / 4, list: () => nodes.filter(({ span }) => span.status === 'error') },
    { most: limit, list: () => [...nodes].sort((a, b) => length(b) - length(a)) },
  ];
  for (const { most, list } of groups) {
    for (const node of list()) {
      if (chosen.size >= most) break;
      add(node);
    }
  }
  return chosen;
}

/** How many spans are left out below each that is drawn. */
function countHidden({ nodes }: TraceTree, chosen: ReadonlySet<TraceNode>): Map<TraceNode | undefined, number> {
  const hidden = new Map<TraceNode | undefined, number>();
  const shownAbove = new Map<TraceNode, TraceNode | undefined>();
  for (const node of nodes) {
    if (chosen.has(node)) continue;
    const { parent } = node;
    // The caller comes first, so that where it is drawn is known.
    const above = parent === undefined || chosen.has(parent) ? parent : shownAbove.get(parent);
    shownAbove.set(node, above);
    hidden.set(above, (hidden.get(above) ?? 0) + 1);
  }
  return hidden;
}
