import { describe, expect, it } from 'vitest';
import type { StoreClient } from '../client.ts';
import { createListMemory } from './list-memory.ts';

const nothing = () => Promise.reject(new Error('nobody asks this client'));
function clientOf(version: { now: number } | undefined): StoreClient {
  const client = { rows: nothing, bytes: nothing, command: nothing, insert: nothing, close: nothing };
  return version === undefined ? client : { ...client, versionOf: () => version.now };
}

const listOf = (...items: string[]) => Promise.resolve({ items, isTruncated: false });

describe('lists that were read', () => {
  it('are read again once somebody wrote to the table, and not before', async () => {
    const version = { now: 1 };
    const client = clientOf(version);
    const memory = createListMemory<string>('series');
    const ask = (...items: string[]) => memory.recall(client, 'key', () => listOf(...items));
    expect((await ask('a')).items).toEqual(['a']);
    expect((await ask('b')).items).toEqual(['a']);
    version.now++;
    expect((await ask('c')).items).toEqual(['c']);
    expect((await memory.recall(client, 'other', () => listOf('d'))).items).toEqual(['d']);
  });

  it('are not remembered where somebody wrote while they were read', async () => {
    const version = { now: 1 };
    const client = clientOf(version);
    const memory = createListMemory<string>('series');
    await memory.recall(client, 'key', () => {
      version.now++;
      return listOf('old');
    });
    expect((await memory.recall(client, 'key', () => listOf('new'))).items).toEqual(['new']);
  });

  it('are not remembered of a store that others write to, nor beyond the bound', async () => {
    const shared = createListMemory<string>('series');
    await shared.recall(clientOf(undefined), 'key', () => listOf('a'));
    expect((await shared.recall(clientOf(undefined), 'key', () => listOf('b'))).items).toEqual(['b']);

    const client = clientOf({ now: 1 });
    const memory = createListMemory<string>('series', 4);
    const ask = async (key: string, ...items: string[]) =>
      (await memory.recall(client, key, () => listOf(...items))).items.join('');
    expect(await ask('1', 'a', 'b')).toBe('ab');
    expect(await ask('2', 'c', 'd')).toBe('cd');
    expect(await ask('2', 'x')).toBe('cd');
    expect(await ask('1', 'y')).toBe('y');
    expect(await ask('3', 'a', 'b', 'c', 'd')).toBe('abcd');
    expect(await ask('3', 'z')).toBe('z');
  });

  it('count as more where they are long, or what they are remembered by is', async () => {
    const client = clientOf({ now: 1 });
    const memory = createListMemory<string>('series', 10);
    const isRemembered = async (key: string, item: string) => {
      await memory.recall(client, key, () => listOf(item));
      return (await memory.recall(client, key, () => listOf('again'))).items[0] === item;
    };
    expect(await isRemembered('short', 'x'.repeat(2000))).toBe(true);
    expect(await isRemembered('other', 'x'.repeat(3000))).toBe(false);
    expect(await isRemembered('k'.repeat(2000), 'x')).toBe(true);
    expect(await isRemembered('k'.repeat(3000), 'x')).toBe(false);
  });
});
