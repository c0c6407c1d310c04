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
    // A cycle hangs off no root, so the linker never comes to it.
    if (isInCycle(node)) continue;
    linkNode(node, node === root, links);
  }
  return { links, parents };
}

const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

function compareSpans(a: LinkerSpan, b: LinkerSpan): number {
  return (
    byText(a.id, b.id) ||
    Number(a.shared) - Number(b.shared) ||
    Number(a.kind !== 'CLIENT') - Number(b.kind !== 'CLIENT') ||
    byText(a.localService, b.localService) ||
    byText(a.localIpv4, b.localIpv4) ||
    byText(a.localIpv6, b.localIpv6) ||
    a.localPort - b.localPort
  );
}

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
  parentId: span.parentId,
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
});

function absorb<S>(node: Node<S>, span: LinkerSpan): void {
  node.kind ??= span.kind;
  node.parentId ??= span.parentId;
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
  for (const node of nodes) {
    if (node.shared) shared.set(sharedKey(node.id, node), node);
    else if (!plain.has(node.id)) plain.set(node.id, node);
  }
  const root = nodes.find((node) => !node.shared && node.parentId === undefined);
  for (const node of nodes) {
    if (node === root) continue;
    const parent = node.shared
      ? plain.get(node.id)
      : node.parentId === undefined
        ? undefined
        : ((shared.size === 0 ? undefined : shared.get(sharedKey(node.parentId, node))) ?? plain.get(node.parentId));
    node.known = parent === node ? undefined : parent;
    node.parent = node.known ?? root;
    if (node.parent !== undefined) node.parent.childCount++;
  }
  return root;
}

/** Brent's walk: cheap for every node of a tree that is not thousands deep. */
function isInCycle<S>(node: Node<S>): boolean {
  let slow: Node<S> | undefined = node;
  let steps = 0;
  let limit = 2;
  for (let fast = node.parent; fast !== undefined; fast = fast.parent) {
    if (fast === slow) return true;
    steps++;
    if (steps === limit) {
      slow = fast;
      steps = 0;
      limit *= 2;
    }
  }
  return false;
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
