/** The objects in a manifest's text, each with the line it begins at. Pure, and slow for long texts: `read-documents.ts` keeps that from others. */
import { isMap, isSeq, LineCounter, type ParsedNode, parseAllDocuments } from 'yaml';
import { lineAndColumn } from '../../config/problem.ts';

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
export interface Located {
  readonly value: unknown;
  readonly line: number;
  /** The lines of the items, where it is a list. */
  readonly itemLines: readonly number[];
}

const maxAliases = 100;

/** Reads all objects. Throws a `ManifestError` at the first thing that is wrong. */
export function documentsOf(text: string, isJson: boolean): Located[] {
  return isJson ? readJson(text) : readYaml(text);
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
