/** Why a PromQL query has no answer. */

export class PromqlError extends Error {
  override readonly name = 'PromqlError';
  /**
   * `parse`: the text is no query, or its types do not fit; `execution`: it is one, but over this data it has no answer;
   * `unsupported`: it is one that this evaluator does not know.
   */
  readonly kind: 'parse' | 'execution' | 'unsupported';

  constructor(kind: 'parse' | 'execution' | 'unsupported', message: string) {
    super(message);
    this.kind = kind;
  }
}

/** A place as `line:column`, both counted from 1, the column in bytes; `offset` counts UTF-16 units of `query`. */
export function placeOf(query: string, offset: number): string {
  // So Prometheus calls every place of no text.
  if (query === '') return 'unknown position';
  const before = query.slice(0, offset);
  const line = before.split('\n').length;
  return `${line}:${Buffer.byteLength(before.slice(before.lastIndexOf('\n') + 1)) + 1}`;
}

/** A parse error as Prometheus words it. */
export const parseError = (query: string, offset: number, message: string): PromqlError =>
  new PromqlError('parse', `${placeOf(query, offset)}: parse error: ${message}`);

/** What parses but is not evaluated is refused by its name. */
export const unsupported = (what: string): PromqlError => new PromqlError('unsupported', `unsupported: ${what}`);
