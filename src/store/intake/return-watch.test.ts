import { describe, expect, it } from 'vitest';
import { type StoreClient, StoreError } from '../client.ts';
import { watchReturn } from './return-watch.ts';

/** A client whose answers are these, in turn: an error's code, or undefined for an answer. */
function watched(...codes: (string | undefined)[]) {
  const answer = async () => {
    const code = codes.shift();
    if (code === undefined) return;
    throw new StoreError(code, { isRetryable: true, cause: Object.assign(new Error(code), { code }) });
  };
  const client: StoreClient = {
    rows: async () => {
      await answer();
      return [];
    },
    bytes: async () => {
      await answer();
      return Buffer.alloc(0);
    },
    command: answer,
    insert: answer,
    async close() {},
  };
  let returns = 0;
  const watching = watchReturn(client, () => returns++);
  const ask = async () => {
    const how = await watching.command({ sql: 'SELECT 1', signal: new AbortController().signal }).then(
      () => 'answered',
      (error: unknown) => (error instanceof StoreError ? error.message : String(error)),
    );
    return `${how}, ${returns} returns`;
  };
  return { ask };
}

describe('a store that was away', () => {
  it('is told of once, with its first answer, each time', async () => {
    const { ask } = watched(undefined, 'ECONNREFUSED', 'ENOTFOUND', undefined, undefined, 'EHOSTUNREACH', undefined);
    const told: string[] = [];
    for (let i = 0; i < 7; i++) told.push(await ask());
    expect(told).toEqual([
      'answered, 0 returns',
      'ECONNREFUSED, 0 returns',
      'ENOTFOUND, 0 returns',
      'answered, 1 returns',
      'answered, 1 returns',
      'EHOSTUNREACH, 1 returns',
      'answered, 2 returns',
    ]);
  });

  it('is no store that ends an idle connection or answers late', async () => {
    const { ask } = watched('ECONNRESET', undefined, 'ABORT_ERR', undefined);
    for (let i = 0; i < 4; i++) expect(await ask()).toContain(', 0 returns');
  });
});
