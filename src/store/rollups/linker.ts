/** Zipkin's dependency linker over one trace, as `DependencyLinker`, `SpanNode` and `Trace` of its library do it. */
import type { SpanKind } from '../../model/span.ts';

/** What the linker needs to know of a span. Names are in lower case, '' where there is none. */
export interface LinkerSpan {
  readonly id: string;
  readonly parentId: string | undefined;
  readonly kind: SpanKind | undefined;
  readonly shared: boolean;
  readonly hasError: boolean;
  /** Whether the tag \`error\` says so; \`hasError\` unless told. */
  readonly hasErrorTag?: boolean;
  readonly localService: string;
  /** As it is spelled; \`localService\` unless told. */
  readonly localName?: string;
  readonly localIpv4: string;
  readonly localIpv6: string;
  readonly localPort: number;
  readonly remoteService: string;
}

/** One call, told by `span`. */
export interface Link<S> {
  readonly caller: string;
  readonly callee: string;
  readonly isError: boolean;
  /** Whether a tag \`error\` says so. */
  readonly isTagged: boolean;
  readonly span: S;
}

/** A trace as the linker sees it. */
export interface TraceRelations<S> {
  /** In no order that matters. */
  readonly links: readonly Link<S>[];
  /** Every span whose parent is there: the services of both, as they are spelled. */
  readonly parents: readonly { readonly parent: string; readonly child: string }[];
}

/** A span of the tree; several reports of one span are one node. */
interface Node<S> {
  readonly span: S;
  readonly id: string;
  parentId: string | undefined;
  kind: SpanKind | undefined;
  shared: boolean;
  hasError: boolean;
  hasErrorTag: boolean;
  localService: string;
  localName: string;
  localIpv4: string;
  localIpv6: string;
  localPort: number;
  remoteService: string;
  /** The parent that it names, if it is there. */
  known: Node<S> | undefined;
  /** That one, or else the root. */
  parent: Node<S> | undefined;
  childCount: number;
  /** It hangs nowhere, and what hangs off it does not count. */
  isLost: boolean;
}

/** Who called whom within a trace, in no order that matters. */
export function linkTrace<S extends LinkerSpan>(spans: readonly S[]): readonly Link<S>[] {
  return relateTrace(spans).links;
}

/** Who called whom within a trace, and whose spans stand below whose. */
export function relateTrace<S extends LinkerSpan>(spans: readonly S[]): TraceRelations<S> {
  const nodes = mergeReports(spans);
  const root = buildTree(nodes);
  const links: Link<S>[] = [];
  const parents: { parent: string; child: string }[] = [];
  for (const node of nodes) {
    if (node.known !== undefined) parents.push({ parent: node.known.localName, child: node.localName });
    if (isReached(node)) linkNode(node, node === root, links);
  }
  return { links, parents };
}

const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** Texts that are not there come last. */
const byKnown = (a: string, b: string) => (a === '' || b === '' ? Number(a === '') - Number(b === '') : byText(a, b));

/** Zipkin compares addresses as texts; here one is a number in decimal. */
const dotted = (ipv4: string) => {
  const bits = Number(ipv4);
  return ipv4 === '' ? '' : [24, 16, 8, 0].map((shift) => (bits >>> shift) & 255).join('.');
};

const hasEndpoint = ({ localService, localIpv4, localIpv6, localPort }: LinkerSpan) =>
  localService !== '' || localIpv4 !== '' || localIpv6 !== '' || localPort !== 0;

/** Zipkin's order of reports, which it merges and of which the last one stands for an id. */
const compareReports = (a: LinkerSpan, b: LinkerSpan) =>
  byText(a.id, b.id) ||
  Number(a.shared) - Number(b.shared) ||
  Number(a.kind !== 'CLIENT') - Number(b.kind !== 'CLIENT') ||
  Number(hasEndpoint(a)) - Number(hasEndpoint(b)) ||
  byKnown(a.localService, b.localService) ||
  (a.localIpv4 === b.localIpv4 ? 0 : byKnown(dotted(a.localIpv4), dotted(b.localIpv4))) ||
  byKnown(a.localIpv6, b.localIpv6);

/** What Zipkin leaves to the order in which spans arrived, which the store does not keep, is settled so that any order gives the same. */
export const compareSpans = (a: LinkerSpan, b: LinkerSpan): number =>
  compareReports(a, b) ||
  a.localPort - b.localPort ||
  byText(a.kind ?? '', b.kind ?? '') ||
  byText(a.parentId ?? '', b.parentId ?? '') ||
  byText(a.remoteService, b.remoteService) ||
  byText(a.localName ?? '', b.localName ?? '');

const mayBeSame = (a: string, b: string) => a === '' || b === '' || a === b;

function isSameEndpoint<S>(node: Node<S>, span: LinkerSpan): boolean {
  return (
    mayBeSame(node.localService, span.localService) &&
    mayBeSame(node.localIpv4, span.localIpv4) &&
    mayBeSame(node.localIpv6, span.localIpv6) &&
    (node.localPort === 0 || span.localPort === 0 || node.localPort === span.localPort)
  );
}

/** A span that was reported more than once, or in parts, becomes one node; a server that shares its client's id without saying so says it. */
function mergeReports<S extends LinkerSpan>(spans: readonly S[]): Node<S>[] {
  const nodes: Node<S>[] = [];
  for (const span of [...spans].sort(compareSpans)) {
    const last = nodes.at(-1);
    const isReport = last !== undefined && last.id === span.id && last.span.shared === span.shared;
    if (isReport && isSameEndpoint(last, span)) {
      absorb(last, span);
      continue;
    }
    const node = nodeOf(span);
    if (last !== undefined && last.id === span.id) {
      if (last.kind === 'CLIENT' && span.kind === 'SERVER' && !span.shared) node.shared = true;
      if (node.shared && node.parentId === undefined) node.parentId = last.parentId;
    }
    nodes.push(node);
  }
  return nodes;
}

/** Field by field, for this is done for every span: spread objects made it ten times as slow. */
const nodeOf = <S extends LinkerSpan>(span: S): Node<S> => ({
  span,
  id: span.id,
  parentId: span.parentId === span.id ? undefined : span.parentId,
  kind: span.kind,
  shared: span.shared,
  hasError: span.hasError,
  hasErrorTag: span.hasErrorTag ?? span.hasError,
  localService: span.localService,
  localName: span.localName ?? span.localService,
  localIpv4: span.localIpv4,
  localIpv6: span.localIpv6,
  localPort: span.localPort,
  remoteService: span.remoteService,
  known: undefined,
  parent: undefined,
  childCount: 0,
  isLost: false,
});

function absorb<S>(node: Node<S>, span: LinkerSpan): void {
  node.kind ??= span.kind;
  if (span.parentId !== node.id) node.parentId ??= span.parentId;
  node.hasError ||= span.hasError;
  node.hasErrorTag ||= span.hasErrorTag ?? span.hasError;
  node.localService ||= span.localService;
  node.localName ||= span.localName ?? span.localService;
  node.localIpv4 ||= span.localIpv4;
  node.localIpv6 ||= span.localIpv6;
  node.localPort ||= span.localPort;
  node.remoteService ||= span.remoteService;
}

const sharedKey = <S>(id: string, on: Node<S>) =>
  `${id}|${on.localService}|${on.localIpv4}|${on.localIpv6}|${on.localPort}`;

/** Gives each node its parent and returns the root, if there is a span without a parent. */
function buildTree<S>(nodes: readonly Node<S>[]): Node<S> | undefined {
  const plain = new Map<string, Node<S>>();
  const shared = new Map<string, Node<S>>();
  let twins: Set<string> | undefined;
  for (const node of nodes) {
    if (node.shared) {
      const key = sharedKey(node.id, node);
      const before = shared.get(key);
      if (before !== undefined) before.isLost = true;
      shared.set(key, node);
    } else if (!plain.has(node.id)) plain.set(node.id, node);
    else {
      twins ??= new Set();
      twins.add(node.id);
    }
  }
  const sharedParent = (node: Node<S>) =>
    node.parentId === undefined || shared.size === 0 ? undefined : shared.get(sharedKey(node.parentId, node));
  const root = nodes.find((node) => !node.shared && node.parentId === undefined);
  for (const node of nodes) {
    if (node === root) continue;
    const parent = node.shared
      ? plain.get(node.id)
      : node.parentId === undefined
        ? undefined
        : (sharedParent(node) ?? plain.get(node.parentId));
    node.known = parent === node ? undefined : parent;
    node.parent = node.isLost ? undefined : (node.known ?? root);
  }
  if (twins !== undefined) placeTwins(nodes, { twins, root, sharedParent });
  for (const { parent } of nodes) if (parent !== undefined) parent.childCount++;
  return root;
}

interface Twins<S> {
  readonly twins: ReadonlySet<string>;
  readonly root: Node<S> | undefined;
  sharedParent(node: Node<S>): Node<S> | undefined;
}

/**
 * Where one id is on several endpoints and no span of it is shared, Zipkin keeps one of them (`SpanNode.Builder`, whose maps have one place
 * an id): the last one is the parent of all that name the id, and hangs where the last one that found a shared parent would, or else where
 * it says itself. The others are in no tree; nor is any but the root, where the root is among them.
 */
function placeTwins<S>(nodes: readonly Node<S>[], { twins, root, sharedParent }: Twins<S>): void {
  const owners = new Map<string, Node<S>>();
  const sharedParents = new Map<string, Node<S>>();
  for (const node of nodes) {
    if (node.shared || !twins.has(node.id)) continue;
    const parent = sharedParent(node);
    if (node === root) sharedParents.delete(node.id);
    else owners.set(node.id, node);
    if (parent !== undefined) sharedParents.set(node.id, parent);
  }
  for (const node of nodes) {
    if (node === root || (node.shared && node.isLost)) continue;
    const above = node.shared ? node.id : node.parentId;
    const isTwin = !node.shared && twins.has(node.id);
    if (isTwin) {
      const found = sharedParents.get(node.id);
      node.isLost = owners.get(node.id) !== node || (node.id === root?.id && found === undefined);
      if (found !== undefined) {
        node.parent = found;
        continue;
      }
    }
    if (node.isLost) node.parent = undefined;
    else if (above !== undefined && twins.has(above) && (node.shared || sharedParent(node) === undefined)) {
      node.parent = owners.get(above) ?? root;
    }
  }
}

/** Whether the linker comes to a node from the root; it does not where spans are each other's ancestors. Brent's walk: cheap for every node of a tree that is not thousands deep. */
function isReached<S>(node: Node<S>): boolean {
  let slow: Node<S> | undefined = node;
  let steps = 0;
  let limit = 2;
  if (node.isLost) return false;
  for (let fast = node.parent; fast !== undefined; fast = fast.parent) {
    if (fast === slow || fast.isLost) return false;
    steps++;
    if (steps === limit) {
      slow = fast;
      steps = 0;
      limit *= 2;
    }
  }
  return true;
}

function nearestWithKind<S>(node: Node<S>): Node<S> | undefined {
  let above = node.parent;
  while (above !== undefined && above.kind === undefined) above = above.parent;
  return above;
}

function linkNode<S>(node: Node<S>, isRoot: boolean, links: Link<S>[]): void {
  // The server's own name for itself is better than the one its client knows.
  if (node.kind === 'CLIENT' && node.childCount > 0) return;
  const { localService: local, remoteService: remote, span } = node;
  const kind = node.kind ?? (local !== '' && remote !== '' ? 'CLIENT' : undefined);
  if (kind === undefined) return;
  const isCalled = kind === 'SERVER' || kind === 'CONSUMER';
  if (isCalled && isRoot && remote === '') return;
  let caller = isCalled ? remote : local;
  const callee = isCalled ? local : remote;
  let isError = node.hasError;
  let isTagged = node.hasErrorTag;
  if (kind === 'CLIENT' || kind === 'SERVER') {
    const above = nearestWithKind(node);
    if (above !== undefined && above.localService !== '') {
      if (kind === 'CLIENT' && local !== '' && local !== above.localService) {
        links.push({ caller: above.localService, callee: local, isError: false, isTagged: false, span });
      }
      if (kind === 'SERVER' || caller === '') caller = above.localService;
      if (above.kind === 'CLIENT' && above.id === node.parentId) {
        isError ||= above.hasError;
        isTagged ||= above.hasErrorTag;
      }
    }
  }
  if (caller !== '' && callee !== '') links.push({ caller, callee, isError, isTagged, span });
}
