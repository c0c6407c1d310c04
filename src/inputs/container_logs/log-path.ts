/** What the kubelet's names of log files say: `<namespace>_<pod>_<uid>/<container>/<restart>.log`, and what rotation makes of them. */

export interface PodDirectory {
  readonly namespace: string;
  readonly pod: string;
  readonly uid: string;
}

export interface LogName {
  /** How often the container had been restarted: files of another number are another life's. */
  readonly restart: number;
  /** What rotation put behind `.log`, '' for the live file. */
  readonly rotation: string;
  readonly isGzip: boolean;
}

/** Reads `bookinfo_ratings-v1-abc_0d9c…`; undefined if the name is no pod's. Kubernetes allows no underscore in namespaces and pods. */
export function parsePodDirectory(name: string): PodDirectory | undefined {
  const [namespace, pod, uid, ...more] = name.split('_');
  if (!namespace || !pod || !uid || more.length > 0) return undefined;
  return { namespace, pod, uid };
}

/** Reads `0.log`, `0.log.20261121-101500`, `0.log.20261121-101500.gz`; undefined for anything else, such as a file half compressed. */
export function parseLogName(name: string): LogName | undefined {
  const match = /^(\d{1,9})\.log(?:\.([^/]+?))?(\.gz)?$/.exec(name);
  if (match === null) return undefined;
  const rotation = match[2] ?? '';
  if (rotation.endsWith('.tmp') || rotation === 'gz') return undefined;
  return { restart: Number(match[1]), rotation, isGzip: match[3] !== undefined };
}

/** Orders the files of one life of a container, oldest first. The kubelet's stamps order themselves; other names go by their last write. */
export function compareRotations(
  a: { readonly name: LogName; readonly mtimeNs: bigint },
  b: { readonly name: LogName; readonly mtimeNs: bigint },
): number {
  if ((a.name.rotation === '') !== (b.name.rotation === '')) return a.name.rotation === '' ? 1 : -1;
  const isStamp = (text: string) => /^\d{8}-\d{6}/.test(text);
  const byName = a.name.rotation < b.name.rotation ? -1 : a.name.rotation > b.name.rotation ? 1 : 0;
  if (isStamp(a.name.rotation) && isStamp(b.name.rotation)) return byName;
  return a.mtimeNs < b.mtimeNs ? -1 : a.mtimeNs > b.mtimeNs ? 1 : byName;
}

type ContainerField = 'namespace' | 'pod' | 'container';

/** Makes a test from `FIELD:GLOB` rules: no include rule includes all, and an exclude rule wins. */
export function createContainerFilter(
  include: readonly string[],
  exclude: readonly string[],
): (container: Readonly<Record<ContainerField, string>>) => boolean {
  const parse = (rule: string) => {
    const at = rule.indexOf(':');
    const glob = rule
      .slice(at + 1)
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replace(/\*+/g, '.*')
      .replace(/\?/g, '.');
    return { field: rule.slice(0, at), pattern: new RegExp(`^${glob}$`, 's') };
  };
  const isField = (field: string): field is ContainerField => ['namespace', 'pod', 'container'].includes(field);
  const matcher = (rules: readonly string[]) => {
    const parsed = rules.map(parse);
    return (container: Readonly<Record<ContainerField, string>>) =>
      parsed.some(({ field, pattern }) => isField(field) && pattern.test(container[field]));
  };
  const includes = matcher(include);
  const excludes = matcher(exclude);
  return (container) => (include.length === 0 || includes(container)) && !excludes(container);
}
