/** Zipkin's dependency links of whole traces that are at hand, counted as its own linker counts them. */
import type { Span } from '../../model/span.ts';
import { type LinkerSpan, linkTrace } from '../../store/rollups/linker.ts';

export interface DependencyLink {
  readonly parent: string;
  readonly child: string;
  readonly callCount: number;
  readonly errorCount: number;
}

/** Counts calls over traces, each the spans of one trace id; sorted by parent, then child. */
export function countDependencies(traces: Iterable<readonly Span[]>): readonly DependencyLink[] {
  const links = new Map<string, { parent: string; child: string; callCount: number; errorCount: number }>();
  for (const trace of traces) {
    for (const { caller: parent, callee: child, isError } of linkTrace(trace.map(toLinkerSpan))) {
      const key = JSON.stringify([parent, child]);
      const link = links.get(key) ?? { parent, child, callCount: 0, errorCount: 0 };
      links.set(key, link);
      link.callCount++;
      if (isError) link.errorCount++;
    }
  }
  const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  return [...links.values()].sort((a, b) => byText(a.parent, b.parent) || byText(a.child, b.child));
}

const toLinkerSpan = ({ id, parentId, kind, shared, attributes, localEndpoint, remoteEndpoint }: Span): LinkerSpan => ({
  id,
  parentId,
  kind,
  shared,
  // Zipkin's linker asks for the tag alone, whatever it says and whatever the status is.
  hasError: Object.hasOwn(attributes, 'error'),
  localService: localEndpoint?.serviceName?.toLowerCase() ?? '',
  localIpv4: localEndpoint?.ipv4 ?? '',
  localIpv6: localEndpoint?.ipv6 ?? '',
  localPort: localEndpoint?.port ?? 0,
  remoteService: remoteEndpoint?.serviceName?.toLowerCase() ?? '',
});
