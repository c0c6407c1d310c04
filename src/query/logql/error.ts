/** Why a LogQL query has no answer; the message is what Loki's clients are shown. */

export class LogqlError extends Error {
  override readonly name = 'LogqlError';
  /** `unsupported` says that it is a query, but one that is not evaluated here. */
  readonly kind: 'parse' | 'unsupported';

  constructor(kind: 'parse' | 'unsupported', message: string) {
    super(message);
    this.kind = kind;
  }
}

/** A parse error with line and column counted from 1, in characters as Loki counts them. */
export function parseErrorAt(query: string, offset: number, message: string): LogqlError {
  const before = query.slice(0, offset);
  const line = before.split('\n').length;
  const column = [...before.slice(before.lastIndexOf('\n') + 1)].length + 1;
  return new LogqlError('parse', `parse error at line ${line}, col ${column}: ${message}`);
}

/** What is wrong with the query as a whole, which Loki tells without a place. */
export const parseErrorOf = (message: string): LogqlError => new LogqlError('parse', `parse error : ${message}`);

export const unsupported = (what: string): LogqlError => new LogqlError('unsupported', `unsupported: ${what}`);
