/** What a span is called in a picture of its trace: as short as it can be told apart. */
import type { Span } from '../model/span.ts';
import { serviceOf } from './trace-tree.ts';

export interface Labels {
  service(span: Span): string;
  name(span: Span): string;
}

const clusterDomain = /\.svc\.cluster\.local\b/g;

/**
 * Services without a mesh's namespace, unless two of the trace would then be called the same; and a proxy's span, which is named
 * `reviews.default.svc.cluster.local:9080/*`, by the host's name and the path that was asked for.
 */
export function createLabels(spans: readonly Span[]): Labels {
  const byShort = new Map<string, Set<string>>();
  for (const span of spans) {
    const short = span.resource.service;
    const known = byShort.get(short);
    if (known === undefined) byShort.set(short, new Set([serviceOf(span)]));
    else known.add(serviceOf(span));
  }
  const service = (span: Span) => {
    const whole = serviceOf(span);
    const { service: short, namespace } = span.resource;
    // An alias that is no part of the name would not be found again in a search.
    const isPart = short !== '' && namespace !== '' && whole.startsWith(short);
    return (isPart && byShort.get(short)?.size === 1 ? short : whole) || '(no service)';
  };
  return {
    service,
    name(span) {
      const { namespace } = span.resource;
      let name = span.name.replaceAll(clusterDomain, '');
      if (namespace !== '') name = name.replace(`.${namespace}:`, ':');
      const path = name.endsWith('/*') ? pathOf(span) : undefined;
      if (path !== undefined) name = name.slice(0, -2) + path;
      const own = service(span);
      if (span.kind === 'SERVER' && name.startsWith(`${own}:`)) name = name.slice(own.length);
      return name || '(no name)';
    },
  };
}

/** Without the query, which is long and may hold what is nobody's business. */
function pathOf({ attributes }: Span): string | undefined {
  const url = attributes['http.url'] ?? attributes['url.full'] ?? '';
  const path = /^[a-z]+:\/\/[^/?#]*(\/[^?#]*)/i.exec(url)?.[1];
  return path === '/*' ? undefined : path;
}
