/** Pods out of the text of a manifest: YAML with any number of documents, or JSON; Pod, List and PodList. */
import { isMap, isSeq, LineCounter, type ParsedNode, parseAllDocuments } from 'yaml';
import { lineAndColumn } from '../../config/problem.ts';
import type { Pod } from '../../model/pod.ts';
import { isJsonObject, type JsonObject, type KeptAnnotations, projectPod } from '../pod-object.ts';

export interface ManifestOptions {
  readonly keptAnnotations: KeptAnnotations;
  /** The node of pods that name none. */
  readonly nodeName: string;
}

export interface Manifest {
  readonly pods: readonly Pod[];
  /** Kinds of other objects in it, each once. */
  readonly otherKinds: readonly string[];
}

/** What is wrong with a manifest and, where there is one, at which line (from 1). */
export class ManifestError extends Error {
  readonly line: number;

  constructor(message: string, line: number, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ManifestError';
    this.line = line;
  }
}

/** An object with the line it begins at. */
interface Located {
  readonly value: unknown;
  readonly line: number;
  /** The lines of the items, where it is a list. */
  readonly itemLines: readonly number[];
}

const maxAliases = 100;

/** Reads a manifest. Throws a `ManifestError` at the first thing that is wrong: a manifest counts whole or not at all. */
export function readManifest(text: string, isJson: boolean, options: ManifestOptions): Manifest {
  const pods: Pod[] = [];
  const otherKinds = new Set<string>();
  const take = ({ value, line, itemLines }: Located): void => {
    if (value === null || value === undefined) return;
    if (!isJsonObject(value)) throw new ManifestError('expected a Kubernetes object with kind and metadata', line);
    const kind = value['kind'];
    if (typeof kind !== 'string') throw new ManifestError('an object without kind; expected kind: Pod', line);
    if (kind === 'Pod') pods.push(podOf(value, line, options));
    else if (kind === 'List' || kind === 'PodList') {
      const items: unknown = value['items'] ?? [];
      if (!Array.isArray(items)) throw new ManifestError(`items of the ${kind} must be a list`, line);
      items.forEach((item: unknown, index) => {
        // The items of a PodList need no kind: the API server leaves it out.
        const object = kind === 'PodList' && isJsonObject(item) ? { kind: 'Pod', ...item } : item;
        take({ value: object, line: itemLines[index] ?? line, itemLines: [] });
      });
    } else otherKinds.add(kind.slice(0, 63));
  };
  for (const located of isJson ? readJson(text) : readYaml(text)) take(located);
  return { pods, otherKinds: [...otherKinds] };
}

function readJson(text: string): Located[] {
  try {
    return [{ value: JSON.parse(text), line: 1, itemLines: [] }];
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const position = /position (\d+)/.exec(message)?.[1];
    const offset = position === undefined ? text.length : Number(position);
    // V8 repeats a piece of the text, which may be a secret of some other object.
    const what = message.replace(/ in JSON at position.*|, ?".*/s, '');
    throw new ManifestError(`not JSON: ${what}`, lineAndColumn(text, offset).line, { cause: error });
  }
}

function readYaml(text: string): Located[] {
  const lines = new LineCounter();
  const lineOf = (node: ParsedNode | null): number => (node === null ? 1 : lines.linePos(node.range[0]).line);
  const located: Located[] = [];
  try {
    for (const document of parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, logLevel: 'silent' })) {
      const [error] = document.errors;
      if (error !== undefined) throw new ManifestError(`not YAML: ${error.message}`, lines.linePos(error.pos[0]).line);
      const node = document.contents;
      const items = isMap(node) ? node.get('items') : undefined;
      located.push({
        value: document.toJS({ maxAliasCount: maxAliases }),
        line: lineOf(node),
        itemLines: isSeq<ParsedNode>(items) ? items.items.map(lineOf) : [],
      });
    }
  } catch (error) {
    if (error instanceof ManifestError) throw error;
    const what = error instanceof Error ? error.message : String(error);
    throw new ManifestError(`not YAML that can be used: ${what}`, 1, { cause: error });
  }
  return located;
}

const namePattern = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;

function podOf(object: JsonObject, line: number, options: ManifestOptions): Pod {
  const where = isJsonObject(object['metadata']) ? object['metadata'] : undefined;
  const name = where?.['name'];
  if (typeof name !== 'string' || name === '') throw new ManifestError('a Pod without metadata.name', line);
  if (!namePattern.test(name)) {
    throw new ManifestError(
      `metadata.name ${JSON.stringify(name.slice(0, 80))}: a Pod's name has lower case letters, digits, '-' and '.' only`,
      line,
    );
  }
  const namespace = where?.['namespace'] ?? 'default';
  if (typeof namespace !== 'string' || !namePattern.test(namespace)) {
    throw new ManifestError(`Pod ${name}: metadata.namespace is not a name`, line);
  }
  for (const key of ['labels', 'annotations'] as const) checkTexts(where?.[key], `Pod ${name}: metadata.${key}`, line);
  const pod = projectPod({ ...object, metadata: { ...where, namespace } }, options.keptAnnotations);
  // A manifest says what shall run, not that it does; whoever puts it here says so by putting it here.
  const hasPhase = isJsonObject(object['status']) && typeof object['status']['phase'] === 'string';
  const phase = hasPhase ? pod.phase : 'Running';
  const isHere = pod.ip === '' && phase === 'Running';
  return {
    ...pod,
    phase,
    nodeName: pod.nodeName || options.nodeName,
    ip: isHere ? '127.0.0.1' : pod.ip,
    ips: isHere ? ['127.0.0.1'] : pod.ips,
  };
}

function checkTexts(value: unknown, what: string, line: number): void {
  if (value === undefined || value === null) return;
  if (!isJsonObject(value)) throw new ManifestError(`${what} must be a table of texts`, line);
  for (const [key, text] of Object.entries(value)) {
    if (typeof text === 'string') continue;
    throw new ManifestError(`${what}: ${JSON.stringify(key.slice(0, 80))} must be a text; put it in quotes`, line);
  }
}
