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

/** A parse error as Prometheus words it, with line and column counted from 1; `offset` counts UTF-16 units of `query`. */
export function parseError(query: string, offset: number, message: string): PromqlError {
  const before = query.slice(0, offset);
  const line = before.split('\n').length;
  const column = Buffer.byteLength(before.slice(before.lastIndexOf('\n') + 1)) + 1;
  return new PromqlError('parse', `${line}:${column}: parse error: ${message}`);
}

/** What parses but is not evaluated is refused by its name. */
export const unsupported = (what: string): PromqlError => new PromqlError('unsupported', `unsupported: ${what}`);
