/**
 * The critical path: the chain of stretches of spans that determines when a trace ends. Shorten one of them and the trace ends sooner; shorten
 * anything else and it does not.
 */
import { serviceOf, type TraceNode, type TraceTree } from './trace-tree.ts';

/** A span's own part of the path, between the calls that it waited for. */
export interface PathSegment {
  readonly node: TraceNode;
  readonly startUs: number;
  readonly endUs: number;
}

export interface CriticalPath {
  /** From the end of the trace back to its start. */
  readonly segments: readonly PathSegment[];
  /** Of each span on the path, how long it was the span's own turn. A span may be on it with 0. */
  readonly ownUs: ReadonlyMap<TraceNode, number>;
  /** How long nothing that is in the trace was going on: a message lay in a queue, or spans are missing. */
  readonly gapUs: number;
}

/**
 * Whether a span's caller went on without it: it outlives the caller, and neither was the caller on the other side of the call, where the last
 * bytes' way makes such a difference, nor is it a message that its receiver finished in time.
 */
function isDetached(child: TraceNode, parent: TraceNode): boolean {
  if (!child.isTimed || !parent.isTimed) return false;
  if (child.startUs > parent.endUs) return true;
  if (child.endUs <= parent.endUs) return false;
  if (child.span.kind === 'CONSUMER' || parent.span.kind === 'PRODUCER') return true;
  if (child.span.kind === 'SERVER' && parent.span.kind === 'CLIENT') return false;
  return serviceOf(child.span) === serviceOf(parent.span);
}

/** A span with what was called by it and waited for, from the end backwards. */
interface Walk {
  readonly node: TraceNode;
  readonly calls: readonly TraceNode[];
  next: number;
  /** Where it ends for its caller, which may have begun later. */
  readonly floorUs: number;
  /** Up to where the path is known. */
  untilUs: number;
}

/**
 * Walks back from the last end: to the child that ended last before it, to that child's last, and so on; where no child ended before, the
 * span's own start is reached, and its caller goes on from there. A child is cut off at its parent's end. Where the trace ends with a span
 * that nobody waited for, the walk begins there and goes on with its caller at the moment of the call.
 */
export function findCriticalPath(tree: TraceTree): CriticalPath {
  const segments: PathSegment[] = [];
  const ownUs = new Map<TraceNode, number>();
  let gapUs = 0;
  const add = (node: TraceNode, startUs: number, endUs: number) => {
    ownUs.set(node, (ownUs.get(node) ?? 0) + Math.max(0, endUs - startUs));
    if (endUs > startUs) segments.push({ node, startUs, endUs });
  };
  /** The part of the path within one span and what it waited for, up to `untilUs`. */
  const { adopter, adopted } = adoptOrphans(tree);
  const callsOf = (node: TraceNode) => (node === adopter ? [...node.children, ...adopted] : node.children);
  const walk = (top: TraceNode, untilUs: number) => {
    const stack: Walk[] = [beginWalk(top, callsOf(top), { floorUs: top.startUs, untilUs })];
    for (let at = stack.at(-1); at !== undefined; at = stack.at(-1)) {
      const child = nextCall(at);
      const { node } = at;
      if (child === undefined) {
        add(node, Math.min(at.floorUs, at.untilUs), at.untilUs);
        stack.pop();
        continue;
      }
      const endUs = Math.min(child.endUs, at.untilUs);
      add(node, endUs, at.untilUs);
      const floorUs = Math.max(child.startUs, at.floorUs);
      at.untilUs = floorUs;
      stack.push(beginWalk(child, callsOf(child), { floorUs, untilUs: endUs }));
    }
  };
  const callerOf = (node: TraceNode) => node.parent ?? (adopted.has(node) ? adopter : undefined);
  const topBefore = indexTops(tree);
  let atUs = tree.endUs;
  let node = lastDetached(tree, callerOf);
  while (node !== undefined) {
    const untilUs = Math.min(node.endUs, atUs);
    gapUs += atUs - untilUs;
    walk(node, untilUs);
    atUs = Math.min(node.startUs, atUs);
    node = callerOf(node) ?? topBefore(atUs);
  }
  // Somebody's callee began before anybody who is known to have called it.
  gapUs += Math.max(0, atUs - tree.startUs);
  return { segments, ownUs, gapUs };
}

/** A span whose caller is missing was called by somebody whom the root waited for, as far as anybody can tell. */
function adoptOrphans({ tops }: TraceTree): { adopter: TraceNode | undefined; adopted: ReadonlySet<TraceNode> } {
  const adopter = tops.find(({ standing, isTimed }) => standing === 'root' && isTimed);
  if (adopter === undefined) return { adopter, adopted: new Set() };
  const isWithin = ({ startUs }: TraceNode) => startUs >= adopter.startUs && startUs <= adopter.endUs;
  return { adopter, adopted: new Set(tops.filter((top) => top.standing !== 'root' && top.isTimed && isWithin(top))) };
}

const beginWalk = (
  node: TraceNode,
  children: readonly TraceNode[],
  { floorUs, untilUs }: Pick<Walk, 'floorUs' | 'untilUs'>,
): Walk => ({
  node,
  floorUs,
  calls: children
    .filter((child) => child.isTimed && child.endUs > child.startUs && !isDetached(child, node))
    .sort((a, b) => b.endUs - a.endUs || b.startUs - a.startUs),
  next: 0,
  untilUs,
});

/** The call that ended last of those that ended before. One that is cut off by its parent's end counts as ending there. */
function nextCall(walk: Walk): TraceNode | undefined {
  for (let child = walk.calls[walk.next++]; child !== undefined; child = walk.calls[walk.next++]) {
    const endUs = Math.min(child.endUs, walk.node.endUs);
    if (endUs <= walk.untilUs && endUs > walk.floorUs && child.startUs < walk.untilUs) return child;
  }
  return undefined;
}

/** Of the span that ends last: the nearest of it and its callers that nobody waited for, which may be a top. */
function lastDetached(
  { nodes, endUs }: TraceTree,
  callerOf: (node: TraceNode) => TraceNode | undefined,
): TraceNode | undefined {
  let found = nodes.find((node) => node.isTimed && node.endUs === endUs);
  for (let caller = found && callerOf(found); found !== undefined && caller !== undefined; caller = callerOf(found)) {
    if (isDetached(found, caller)) return found;
    found = caller;
  }
  return found;
}

/** What was going on before a top began: of the tops that began earlier, the one that ended last. */
function indexTops({ tops }: TraceTree): (atUs: number) => TraceNode | undefined {
  const sorted = tops.filter(({ isTimed }) => isTimed).sort((a, b) => a.startUs - b.startUs);
  let last: TraceNode | undefined;
  const lastUpTo = sorted.map((top) => {
    if (last === undefined || top.endUs > last.endUs) last = top;
    return last;
  });
  let count = sorted.length;
  // Asked for ever earlier times.
  return (atUs) => {
    while (count > 0 && (sorted[count - 1]?.startUs ?? 0) >= atUs) count--;
    return lastUpTo[count - 1];
  };
}
