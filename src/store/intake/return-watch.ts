/**
 * Notices that a store by URL answers again after it could not be reached: it may have lost its volume, or be another one. Its tables are
 * made anew by whoever comes first, so that nothing else tells, and samples of series that it was never given would not be found.
 */
import { type StoreClient, StoreError } from '../client.ts';

/** That nobody was there. A kept connection that ends, and an answer that comes too late, happen with a store that has never been away. */
const unreachable: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'ETIMEDOUT',
]);

function isUnreachable(error: unknown): boolean {
  if (!(error instanceof StoreError)) return false;
  const { cause } = error;
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string' && unreachable.has(cause.code);
}

/** The same client, which calls `onReturn` with the first answer after the store could not be reached. */
export function watchReturn(client: StoreClient, onReturn: () => void): StoreClient {
  let isAway = false;
  const watch = async <Answer>(ask: () => Promise<Answer>): Promise<Answer> => {
    try {
      const answer = await ask();
      if (isAway) {
        isAway = false;
        onReturn();
      }
      return answer;
    } catch (error) {
      if (isUnreachable(error)) isAway = true;
      throw error;
    }
  };
  return {
    rows: (query) => watch(() => client.rows(query)),
    bytes: (query) => watch(() => client.bytes(query)),
    command: (query) => watch(() => client.command(query)),
    insert: (insert) => watch(() => client.insert(insert)),
    close: () => client.close(),
  };
}
