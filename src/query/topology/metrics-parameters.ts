/** What a request for the topology from metrics names besides its window. */
import { type GraphType, graphTypes } from './metrics-node.ts';

export type MetricsParameters =
  | { readonly kind: 'parameters'; readonly namespaces: readonly string[] | undefined; readonly type: GraphType }
  | { readonly kind: 'malformed'; readonly message: string };

/** Each is three selections of every metric. */
const maxNamespaces = 20;

/** What Kubernetes allows as a namespace, which PromQL needs no quoting for. */
const namespaceName = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;

/** Reads `namespace`, names with commas between them, and `graph`. */
export function parseMetricsParameters(query: URLSearchParams): MetricsParameters {
  const given = query.get('graph') ?? 'app';
  const type = graphTypes.find((each) => each === given);
  if (type === undefined) {
    return {
      kind: 'malformed',
      message: `graph=${given.slice(0, 100)} is not drawn; choose one of ${graphTypes.join(', ')}`,
    };
  }
  const names = query
    .getAll('namespace')
    .flatMap((value) => value.split(','))
    .filter((name) => name !== '');
  const wrong = names.find((name) => !namespaceName.test(name));
  if (wrong !== undefined) {
    return { kind: 'malformed', message: `namespace=${wrong.slice(0, 100)} is no name of a namespace` };
  }
  if (names.length > maxNamespaces) {
    return { kind: 'malformed', message: `more than ${maxNamespaces} namespaces; leave them out for the whole mesh` };
  }
  return { kind: 'parameters', namespaces: names.length === 0 ? undefined : [...new Set(names)], type };
}
