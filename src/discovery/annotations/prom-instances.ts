/** `datakit/prom.instances` and `trawl/prom.instances`: `[[inputs.prom]]` blocks of a pod, about itself. */
import type { z } from 'zod';
import type { Problem } from '../../config/problem.ts';
import type { Path } from '../../config/schema-walk.ts';
import { isTable, parseToml, type Table, type TomlDocument } from '../../config/toml-document.ts';
import { type Findings, type Subject, validateStranger } from '../../config/validate.ts';
import type { Pod } from '../../model/pod.ts';
import { createFinding, type Finding, type RefusalReason } from './finding.ts';
import { judgeOwnAddress } from './own-address.ts';
import { type BlockFault, identityLabels, screenBlock } from './screen-block.ts';
import { fillTemplate } from './template.ts';

/** One block that may run: addresses of the pod's own, and the checked configuration with exactly those in `urls`. */
export interface PodBlock<Config> {
  readonly annotation: string;
  /** From 1, in the order of the annotation; 0 where the annotation has no blocks. */
  readonly number: number;
  readonly config: Config;
}

export interface Reading<Config> {
  readonly blocks: readonly PodBlock<Config>[];
  readonly findings: readonly Finding[];
}

export interface AnnotationText {
  readonly annotation: string;
  readonly text: string;
}

export const maxAnnotationBytes = 8 * 1024;
export const maxBlocks = 10;
/** Of one block. */
export const maxUrls = 10;
/** Of one annotation as many warnings are told, and as many refusals. */
const maxFindings = 20;

/** Stands in a block that is not scraped. */
const unused = 'unused.invalid';

/** The labels that tell a pod's series from another pod's; a node that is not known is left out. */
export function identityOf(pod: Pod): Readonly<Record<string, string>> {
  const values = { namespace: pod.namespace, pod: pod.name, node: pod.nodeName };
  return Object.fromEntries(identityLabels.map((label) => [label, values[label]]).filter(([, value]) => value !== ''));
}

/** What DataKit takes where an annotation says nothing. */
export function completeBlock(block: Table, pod: Pod): void {
  block['source'] ??= `${pod.namespace}/${pod.name}`;
  block['honor_timestamps'] ??= false;
}

/** Reads the annotation of a pod. `schema` is that of `[[inputs.prom]]`. Does no I/O. */
export function readPromInstances<Config>(
  { annotation, text }: AnnotationText,
  pod: Pod,
  schema: z.ZodType<Config>,
): Reading<Config> {
  const refuseAll = (refused: RefusalReason, message: string, line = 0): Reading<Config> => ({
    blocks: [],
    findings: [createFinding({ annotation, line, refused, message })],
  });
  const sizeBytes = Buffer.byteLength(text);
  if (sizeBytes > maxAnnotationBytes) {
    const message = `it has ${sizeBytes} bytes and ${maxAnnotationBytes} are read; make it shorter, or let the operator write it into conf.d`;
    return refuseAll('over_limit', message);
  }
  const filled = fillTemplate(text, pod);
  if (!filled.ok) return refuseAll('malformed', filled.message);
  const parsed = parseToml(annotation, filled.text, {});
  if (!parsed.ok) {
    const { message, hint, line } = parsed.problem;
    return refuseAll('malformed', hint === '' ? message : `${message}; ${hint}`, line);
  }
  const reader = createReader({ annotation, document: parsed.document, pod, schema });
  const blocks = reader.readBlocks();
  return { blocks, findings: reader.findings };
}

interface ReaderOptions<Config> {
  readonly annotation: string;
  readonly document: TomlDocument;
  readonly pod: Pod;
  readonly schema: z.ZodType<Config>;
}

function createReader<Config>(options: ReaderOptions<Config>) {
  const { annotation, document, pod, schema } = options;
  const findings: Finding[] = [];
  const identity = identityOf(pod);

  let warnings = 0;
  /** Hundreds of warnings must not hide a refusal; and to find their lines takes time. */
  const isTold = (refused: RefusalReason | undefined): boolean =>
    (refused === undefined ? warnings : findings.length - warnings) < maxFindings;
  const tell = (refused: RefusalReason | undefined, { message, hint, line }: Problem) => {
    if (!isTold(refused)) return;
    findings.push(createFinding({ annotation, line, refused, message: hint === '' ? message : `${message}; ${hint}` }));
    if (refused === undefined) warnings++;
  };
  const tellAt = (path: Path, at: 'key' | 'value', { refused, message }: Omit<BlockFault, 'path'>) => {
    if (isTold(refused)) tell(refused, document.problemAt({ path, at, message }));
  };

  /** The block's addresses, those that it may not name taken out; undefined where they are no texts, which the schema says better. */
  const judgeUrls = (block: Table, base: Path): readonly string[] | undefined => {
    const { url, urls = [] } = block;
    const texts: unknown[] = Array.isArray(urls) ? [...urls] : [urls];
    const places: Path[] = texts.map((_, i) => [...base, 'urls', i]);
    if (url !== undefined && url !== '') {
      texts.push(url);
      places.push([...base, 'url']);
    }
    if (!texts.every((text): text is string => typeof text === 'string')) return undefined;
    if (texts.length > maxUrls) {
      const message = `there are ${texts.length} addresses; ${maxUrls} of a block are scraped`;
      tellAt([...base, 'urls'], 'key', { refused: 'over_limit', message });
    }
    const own = texts.slice(0, maxUrls).flatMap((text, i) => {
      const verdict = judgeOwnAddress(text, pod);
      if (verdict.ok) return [verdict.url.href];
      tellAt(places[i] ?? base, 'value', { refused: verdict.reason, message: verdict.message });
      return [];
    });
    if (own.length === 0 && texts.length === 0) {
      const message = 'the block names no address; write url = "http://$IP:PORT/PATH"';
      tellAt(base, 'key', { refused: 'malformed', message });
    }
    return own;
  };

  const readBlock = (block: Table, base: Path): Config | undefined => {
    const faults = screenBlock(block, { identity, schema });
    for (const fault of faults) tellAt([...base, ...fault.path], 'key', fault);
    const urls = judgeUrls(block, base);
    if (faults.some(({ refused }) => refused !== undefined)) return undefined;
    if (urls !== undefined) {
      // A block without an address of its own is read on: a misspelled key may be why.
      block['urls'] = urls.length === 0 ? [`http://${unused}/`] : urls;
      delete block['url'];
    }
    completeBlock(block, pod);
    const told: Findings = { problems: [], warnings: [] };
    const subject: Subject<Config> = {
      schema,
      header: '[[inputs.prom]]',
      base,
      document,
      value: block,
      overrides: [],
      neighbours: [],
    };
    const config = validateStranger(subject, told);
    for (const problem of told.warnings) tell(undefined, problem);
    for (const problem of told.problems) tell('malformed', problem);
    return urls?.length === 0 ? undefined : config;
  };

  const tellOthers = (table: Table, base: Path, wanted: string) => {
    for (const key of Object.keys(table)) {
      if (key === wanted) continue;
      const message = `"${key}" has no effect: an annotation holds [[inputs.prom]] blocks and nothing else`;
      tellAt([...base, key], 'key', { refused: undefined, message });
    }
  };

  const readBlocks = (): readonly PodBlock<Config>[] => {
    tellOthers(document.root, [], 'inputs');
    const inputs = document.root['inputs'];
    if (isTable(inputs)) tellOthers(inputs, ['inputs'], 'prom');
    const prom = isTable(inputs) ? inputs['prom'] : undefined;
    const list: readonly unknown[] = Array.isArray(prom) ? prom : prom === undefined ? [] : [prom];
    if (list.length === 0) {
      const message = 'there is no [[inputs.prom]] block in it; begin with a line [[inputs.prom]]';
      tell('malformed', document.problemAt({ path: [], at: 'key', message }));
    }
    if (list.length > maxBlocks) {
      const message = `there are ${list.length} blocks; the first ${maxBlocks} are read`;
      tellAt(['inputs', 'prom', maxBlocks], 'key', { refused: 'over_limit', message });
    }
    return list.slice(0, maxBlocks).flatMap((block, i) => {
      const base: Path = Array.isArray(prom) ? ['inputs', 'prom', i] : ['inputs', 'prom'];
      if (!isTable(block)) {
        tellAt(base, 'key', { refused: 'malformed', message: '"inputs.prom" is a block; write [[inputs.prom]]' });
        return [];
      }
      const config = readBlock(block, base);
      return config === undefined ? [] : [{ annotation, number: i + 1, config }];
    });
  };
  return { findings, readBlocks };
}
