/** Lists that were read of a table, for as long as nobody wrote to it: dashboards ask for the same ones whenever they are opened. */
import type { Label } from '../../model/sample.ts';
import { startSlices } from '../../model/turns.ts';
import type { StoreClient } from '../client.ts';
import type { Listed } from './series.ts';

export interface ListMemory<Item> {
  /** The list of this key, read unless it is remembered. */
  recall(client: StoreClient, key: string, read: () => Promise<Listed<Item>>): Promise<Listed<Item>>;
}

interface Kept<Item> {
  version: number;
  readonly lists: Map<string, Listed<Item>>;
  itemCount: number;
}

/** Items of all lists of one store; with more, all lists are forgotten. */
const defaultMaxItems = 200_000;
/** What is longer counts as several items, and so does what a list is remembered by: both come from strangers. */
const usualLength = 256;

const itemsOf = (length: number): number => Math.max(1, length / usualLength);

function lengthOf(item: string | readonly Label[]): number {
  if (typeof item === 'string') return item.length;
  let length = 0;
  for (const [, value] of item) length += value.length;
  return length;
}

/** What nobody ends, since it is soon done. */
const unending = new AbortController().signal;

/** How many items these count as, a slice of them a turn: label sets are all over the memory. */
async function sizeOf(items: readonly (string | readonly Label[])[]): Promise<number> {
  const slices = startSlices(unending);
  let size = 0;
  for (const item of items) {
    size += itemsOf(lengthOf(item));
    if (slices.isOver()) await slices.next();
  }
  return size;
}

/** Remembers nothing of a store that others may write to. */
export function createListMemory<Item extends string | readonly Label[]>(
  table: string,
  maxItems = defaultMaxItems,
): ListMemory<Item> {
  const ofClients = new WeakMap<StoreClient, Kept<Item>>();

  const keptFor = (client: StoreClient, version: number): Kept<Item> => {
    let kept = ofClients.get(client);
    if (kept === undefined || kept.version !== version) {
      kept = { version, lists: new Map(), itemCount: 0 };
      ofClients.set(client, kept);
    }
    return kept;
  };

  return {
    async recall(client, key, read) {
      const version = client.versionOf?.(table);
      if (version === undefined) return read();
      const before = keptFor(client, version).lists.get(key);
      if (before !== undefined) return before;
      const list = await read();
      if (list.items.length > maxItems) return list;
      const sizeItems = itemsOf(key.length) + (await sizeOf(list.items));
      // What was written meanwhile may be missing in it.
      if (client.versionOf?.(table) !== version) return list;
      const kept = keptFor(client, version);
      if (kept.itemCount + sizeItems > maxItems) {
        kept.lists.clear();
        kept.itemCount = 0;
      }
      if (sizeItems <= maxItems && !kept.lists.has(key)) {
        kept.lists.set(key, list);
        kept.itemCount += sizeItems;
      }
      return list;
    },
  };
}
