/** The pod's own names in an annotation: `$IP`, `$NAMESPACE`, `$PODNAME`, `$NODENAME`, replaced as plain text, as DataKit does. */
import type { Pod } from '../../model/pod.ts';

export type Filled = { readonly ok: true; readonly text: string } | { readonly ok: false; readonly message: string };

/** Kubernetes lets none of these into a name or an address; a manifest written by hand may hold anything. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about.
const breaksText = /["'\\\u0000-\u001f]/;

/** The names a template may hold. */
export const templateNames = ['$IP', '$NAMESPACE', '$PODNAME', '$NODENAME'] as const;

/** Fills a pod's names in. An IPv6 address that follows `//` gets the brackets that a URL needs. */
export function fillTemplate(text: string, pod: Pod): Filled {
  const values: Readonly<Record<string, string>> = {
    IP: pod.ip,
    NAMESPACE: pod.namespace,
    PODNAME: pod.name,
    NODENAME: pod.nodeName,
  };
  const unsafe = Object.entries(values).find(([name, value]) => text.includes(`$${name}`) && breaksText.test(value));
  if (unsafe !== undefined) {
    return { ok: false, message: `$${unsafe[0]} of this pod holds quotes or control characters and is not filled in` };
  }
  const filled = text.replaceAll(/(\/\/)?\$(IP|NAMESPACE|PODNAME|NODENAME)/g, (_, slashes = '', name = '') => {
    const value = values[name] ?? '';
    return slashes !== '' && name === 'IP' && value.includes(':') ? `${slashes}[${value}]` : `${slashes}${value}`;
  });
  return { ok: true, text: filled };
}
