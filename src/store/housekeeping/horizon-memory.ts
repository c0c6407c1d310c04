/**
 * What a shared store kept when it was last asked, in a file: an agent that is started while the store is away must not take what the store
 * would drop.
 */
import { open, readFile, rename } from 'node:fs/promises';
import type { Logger } from 'pino';
import { type Horizons, parseHorizons } from '../retention/horizon.ts';

export interface HorizonMemory {
  /** As it was found when the file was opened; undefined where this store was never asked. */
  readonly last: Horizons | undefined;
  /** Resolves once it is written; never rejects. */
  keep(horizons: Horizons): Promise<void>;
}

export interface HorizonMemoryOptions {
  readonly file: string;
  /** The store's URL: what another store kept says nothing of this one. */
  readonly store: string;
  readonly log: Logger;
}

/** Reads the file; without one, or where it cannot be read, nothing is remembered. */
export async function openHorizonMemory({ file, store, log }: HorizonMemoryOptions): Promise<HorizonMemory> {
  const { origin, pathname } = new URL(store);
  const address = `${origin}${pathname}`;
  const last = await read(file, address, log);
  let written = JSON.stringify(last);
  return {
    last,
    async keep(horizons) {
      const text = JSON.stringify(horizons);
      if (text === written) return;
      try {
        await write(file, `${JSON.stringify({ store: address, horizons: text })}\n`);
        written = text;
      } catch (error) {
        log.warn({ err: error, file }, 'what the store keeps could not be written down; it is tried again in a moment');
      }
    },
  };
}

async function read(file: string, address: string, log: Logger): Promise<Horizons | undefined> {
  try {
    const parsed: unknown = JSON.parse(await readFile(file, 'utf8'));
    if (typeof parsed !== 'object' || parsed === null || !('store' in parsed && 'horizons' in parsed)) return undefined;
    if (parsed.store !== address || typeof parsed.horizons !== 'string') return undefined;
    return parseHorizons(parsed.horizons);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT'))
      log.warn({ err: error, file }, 'what the store last kept cannot be read; the store is asked for it');
    return undefined;
  }
}

async function write(file: string, text: string): Promise<void> {
  const temporary = `${file}.tmp`;
  const handle = await open(temporary, 'w', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, file);
}
