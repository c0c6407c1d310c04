import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestStore, type TestStore } from '../../test/fixtures/test-store.ts';
import { StoreError } from './client.ts';

const signal = new AbortController().signal;

async function failureOf(work: Promise<unknown>): Promise<StoreError> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof StoreError)) throw new Error(`no StoreError: ${String(error)}`);
  return error;
}

describe('a query with long texts', () => {
  let store: TestStore;
  beforeAll(async () => {
    store = await startTestStore({ withoutSchema: true });
  }, 30_000);
  afterAll(() => store.stop());
  const lengthOf = (text: string) =>
    store.client.rows<{ n: string }>({ sql: 'SELECT length({text:String}) AS n', parameters: { text }, signal });

  it.each([
    ['the URL would be', '\\', 300_000],
    ['the URL would be', "'", 300_000],
    ['the engine’s query would be', '\\', 150_000],
    ['the engine’s query would be', 'a', 300_000],
  ])('is refused for good and in words where %s too long: %s, %i times', async (_, letter, count) => {
    const failure = await failureOf(lengthOf(letter.repeat(count)));
    expect(failure.message).toBe('The query is too long for the store; ask for less, or with shorter texts');
    expect(failure).toMatchObject({ isRetryable: false, code: 229 });
  });

  it('is answered where it is shorter', async () => {
    expect(await lengthOf('\\'.repeat(30_000))).toEqual([{ n: '30000' }]);
    expect(await lengthOf('a'.repeat(200_000))).toEqual([{ n: '200000' }]);
  });
});
