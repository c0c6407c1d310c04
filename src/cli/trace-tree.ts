/**
 * A trace as a tree for a person: each span once, below the span that called it, at a time that fits its caller's clock. Whatever spans come,
 * each of them stands in the tree exactly once.
 */
import type { Span } from '../model/span.ts';

/** `orphan`: its parent is not in the trace; `loop`: its parent is one of its own descendants. */
export type Standing = 'root' | 'child' | 'orphan' | 'loop';

export interface TraceNode {
  readonly span: Span;
  /** Where it stands in the tree; of an orphan and of a span in a loop undefined as of a root. */
  readonly parent: TraceNode | undefined;
  /** By start. */
  readonly children: readonly TraceNode[];
  readonly standing: Standing;
  readonly depth: number;
  /** By the clock of the tree's top. One without a time of its own has its parent's. */
  readonly startUs: number;
  readonly endUs: number;
  readonly isTimed: boolean;
  /** What was added to the sender's time. */
  readonly shiftUs: number;
}

export interface TraceTree {
  /** Each after its parent, siblings by start. */
  readonly nodes: readonly TraceNode[];
  /** Those that nothing stands above, by start, roots first. */
  readonly tops: readonly TraceNode[];
  readonly startUs: number;
  readonly endUs: number;
}

type Building = { -readonly [Key in keyof Omit<TraceNode, 'children' | 'parent'>]: TraceNode[Key] } & {
  parent: Building | undefined;
  children: Building[];
};

/** A server's half of a call that ends this much after the client's, or begins as much before, has no other clock for it. */
const sameClockUs = 1_000;

export const serviceOf = (span: Span): string => span.localEndpoint?.serviceName ?? '';

/** Builds the tree of one trace's spans. */
export function buildTree(spans: readonly Span[]): TraceTree {
  const nodes = mergeParts(spans).map(newNode);
  findParents(nodes);
  breakLoops(nodes);
  for (const node of nodes) node.parent?.children.push(node);
  const tops = nodes.filter(({ parent }) => parent === undefined);
  const ordered = placeInTime(tops);
  let startUs = Number.POSITIVE_INFINITY;
  let endUs = Number.NEGATIVE_INFINITY;
  for (const node of ordered) {
    if (!node.isTimed) continue;
    startUs = Math.min(startUs, node.startUs);
    endUs = Math.max(endUs, node.endUs);
  }
  if (startUs > endUs) return { nodes: ordered, tops, startUs: 0, endUs: 0 };
  return { nodes: ordered, tops, startUs, endUs };
}

const newNode = (span: Span): Building => ({
  span,
  parent: undefined,
  children: [],
  standing: 'root',
  depth: 0,
  startUs: span.startUs ?? 0,
  endUs: (span.startUs ?? 0) + (span.startUs === undefined ? 0 : (span.durationUs ?? 0)),
  isTimed: span.startUs !== undefined,
  shiftUs: 0,
});

/** One span may come in several reports, as it began and as it ended; Zipkin's viewers put those together, too. */
function mergeParts(spans: readonly Span[]): Span[] {
  const byKey = new Map<string, Span[]>();
  for (const span of spans) {
    const key = `${span.id} ${span.shared} ${serviceOf(span)}`;
    const known = byKey.get(key);
    if (known === undefined) byKey.set(key, [span]);
    else {
      const at = known.findIndex((other) => arePartsOfOne(other, span));
      const other = known[at];
      if (other === undefined) known.push(span);
      else known[at] = mergeTwo(other, span);
    }
  }
  return [...byKey.values()].flat();
}

const agree = (a: unknown, b: unknown): boolean => a === undefined || b === undefined || a === b;

const arePartsOfOne = (a: Span, b: Span): boolean =>
  agree(a.kind, b.kind) &&
  agree(a.startUs, b.startUs) &&
  agree(a.durationUs, b.durationUs) &&
  agree(a.name || undefined, b.name || undefined);

const mergeTwo = (a: Span, b: Span): Span => ({
  ...a,
  parentId: a.parentId ?? b.parentId,
  kind: a.kind ?? b.kind,
  name: a.name || b.name,
  startUs: a.startUs ?? b.startUs,
  durationUs: a.durationUs ?? b.durationUs,
  status: a.status === 'unset' ? b.status : a.status,
  localEndpoint: a.localEndpoint ?? b.localEndpoint,
  remoteEndpoint: a.remoteEndpoint ?? b.remoteEndpoint,
  events: [
    ...a.events,
    ...b.events.filter(
      (event) => !a.events.some((e) => e.timestampUs === event.timestampUs && e.value === event.value),
    ),
  ],
  attributes: { ...a.attributes, ...b.attributes },
});

interface SameId {
  /** The half that others name as their parent. */
  plain: Building | undefined;
  /** Server's halves of the call, by service. */
  readonly halves: Map<string, Building>;
}

/** As Zipkin's SpanNode: a server's half hangs below the client's, and what the server called below the server's half. */
function findParents(nodes: readonly Building[]): void {
  const byId = new Map<string, SameId>();
  const clients = new Set(
    nodes.filter(({ span }) => span.kind === 'CLIENT' && !span.shared).map(({ span }) => span.id),
  );
  // Some senders share ids without saying so.
  const isHalf = ({ span }: Building) => span.shared || (span.kind === 'SERVER' && clients.has(span.id));
  for (const node of nodes) {
    const same: SameId = byId.get(node.span.id) ?? { plain: undefined, halves: new Map() };
    byId.set(node.span.id, same);
    if (isHalf(node)) same.halves.set(serviceOf(node.span), node);
    else same.plain ??= node;
  }
  for (const node of nodes) {
    const { id, parentId } = node.span;
    const own = isHalf(node) ? byId.get(id)?.plain : undefined;
    const same = parentId === undefined ? undefined : byId.get(parentId);
    const parent = own ?? same?.halves.get(serviceOf(node.span)) ?? same?.plain ?? same?.halves.values().next().value;
    node.parent = parent === node ? undefined : parent;
    node.standing = node.parent !== undefined ? 'child' : parentId === undefined ? 'root' : 'orphan';
  }
}

/** In a ring of spans that are each other's parents, the earliest becomes the top. */
function breakLoops(nodes: readonly Building[]): void {
  const checked = new Set<Building>();
  for (const node of nodes) {
    const way = new Set<Building>();
    let at: Building | undefined = node;
    while (at !== undefined && !checked.has(at) && !way.has(at)) {
      way.add(at);
      at = at.parent;
    }
    if (at !== undefined && way.has(at)) {
      const first = earliestOfRing(at);
      first.parent = undefined;
      first.standing = 'loop';
    }
    for (const passed of way) checked.add(passed);
  }
}

function earliestOfRing(node: Building): Building {
  let earliest = node;
  for (let at = node.parent; at !== undefined && at !== node; at = at.parent)
    if (at.startUs < earliest.startUs) earliest = at;
  return earliest;
}

const standings: readonly Standing[] = ['root', 'child', 'orphan', 'loop'];
const byStart = (a: Building, b: Building): number =>
  a.startUs - b.startUs || standings.indexOf(a.standing) - standings.indexOf(b.standing);

/** Moves each span to its parent's clock, sorts siblings, and lists the tree in its order. Not recursive: a chain may be as long as a trace. */
function placeInTime(tops: Building[]): Building[] {
  tops.sort((a, b) => Number(b.standing === 'root') - Number(a.standing === 'root') || byStart(a, b));
  const ordered: Building[] = [];
  const open = [...tops].reverse();
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    ordered.push(node);
    for (const child of node.children) {
      child.depth = node.depth + 1;
      if (!child.isTimed) child.startUs = child.endUs = node.startUs;
      else shift(child, shiftOf(child, node));
    }
    node.children.sort(byStart);
    for (let i = node.children.length - 1; i >= 0; i--) {
      const child = node.children[i];
      if (child !== undefined) open.push(child);
    }
  }
  return ordered;
}

function shift(node: Building, us: number): void {
  node.shiftUs = us;
  node.startUs += us;
  node.endUs += us;
}

/**
 * What to add to a span's time: within a service what was added to its parent's; across services enough to lie within the call, in its middle
 * when the clocks are far apart, as Zipkin's viewer does. A span that goes on after its caller is no sign of another clock if it takes longer.
 */
function shiftOf(child: Building, parent: Building): number {
  const service = serviceOf(child.span);
  if (service !== '' && service === serviceOf(parent.span)) return parent.shiftUs;
  if (!parent.isTimed || parent.span.durationUs === undefined || child.span.durationUs === undefined) return 0;
  if (child.span.kind === 'CONSUMER' || parent.span.kind === 'PRODUCER') return 0;
  const early = parent.startUs - child.startUs;
  const late = child.endUs - parent.endUs;
  if (early <= sameClockUs && late <= sameClockUs) return 0;
  const spare = parent.endUs - parent.startUs - (child.endUs - child.startUs);
  if (spare < 0) return early > sameClockUs ? early : 0;
  return early + Math.round(spare / 2);
}
