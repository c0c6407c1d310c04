/** A real store, the real way of segments into it, and a naive model of what it must hold, moved together. */
import { pino } from 'pino';
import { Histogram } from 'prom-client';
import type { Clock } from '../../src/pipeline/component.ts';
import type { AppendResult, Section, Segment, Spool } from '../../src/pipeline/spool/spool.ts';
import type { StoreClient } from '../../src/store/client.ts';
import { storeTables } from '../../src/store/intake/sections.ts';
import { createSegmentSender } from '../../src/store/intake/segment-sender.ts';
import { createStoreDestination, type StoreDestination } from '../../src/store/intake/store-destination.ts';
import { realClock } from '../fixtures/fake-host.ts';
import { startTestStore, type TestStore } from '../fixtures/test-store.ts';
import { createStoreModel, type StoreModel } from './store-model.ts';

const log = pino({ level: 'silent' });

/** Waits briefly where an agent would wait for seconds. */
const hastyClock: Clock = { ...realClock, sleep: (delayMs, stop) => realClock.sleep(Math.min(delayMs, 40), stop) };

const sendTimeoutMs = 30_000;

/** A closed segment's content, as the spool would hand it out. */
export interface StoredSegment {
  readonly id: bigint;
  readonly records: readonly (readonly Section[])[];
  readonly tables: readonly (typeof storeTables)[number]['table'][];
}

/** A spool in memory: what is appended gathers until it is closed, and a closed segment is handed out when told. */
function createMemorySpool() {
  let open: Section[][] = [];
  let number = 0;
  let offered: Segment | undefined;
  let wake = () => {};
  const spool: Spool = {
    directory: '/nowhere',
    async append(sections): Promise<AppendResult> {
      // The encoder uses its memory again.
      open.push(sections.map((section) => ({ ...section, bytes: Buffer.from(section.bytes) })));
      return { kind: 'kept' };
    },
    async nextSegment(signal) {
      for (;;) {
        signal.throwIfAborted();
        const segment = offered;
        offered = undefined;
        if (segment !== undefined) return segment;
        await new Promise<void>((resolve) => {
          wake = () => {
            signal.removeEventListener('abort', wake);
            resolve();
          };
          signal.addEventListener('abort', wake, { once: true });
        });
      }
    },
    rotate: async () => number,
    released: async () => {},
    positions: () => [],
    stats: () => {
      throw new Error('nobody asks a spool in memory');
    },
    close: async () => {},
  };
  return {
    spool,
    closeSegment(): StoredSegment {
      number++;
      const records = open;
      open = [];
      const kinds = new Set(records.flat().map(({ kind }) => kind));
      const tables = storeTables.filter(({ kind }) => kinds.has(kind)).map(({ table }) => table);
      return { id: (7n << 32n) + BigInt(number), records, tables };
    },
    /** Resolves once the sender has released the segment; rejects when it sets it aside. */
    handOut: ({ id, records }: StoredSegment, isRecovered: boolean) =>
      new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`segment ${id} was not sent within 30 s`)), sendTimeoutMs);
        const segment: Segment = {
          number,
          writer: 7,
          id,
          sizeBytes: 1,
          createdMs: 0,
          isRecovered,
          async *records() {
            for (const [positionBytes, sections] of records.entries()) yield { positionBytes, sections };
          },
          async release() {
            clearTimeout(timer);
            resolve();
          },
          async setAside(why) {
            clearTimeout(timer);
            reject(new Error(`segment ${id} was set aside: ${why}`));
          },
          putBack() {
            offered = segment;
            wake();
          },
        };
        segment.putBack();
      }),
  };
}

export interface StoreUnderModel {
  readonly store: TestStore;
  readonly client: StoreClient;
  readonly model: StoreModel;
  /** The time at which everything happens: noon, and moved on by operations. */
  nowMs: number;
  /** What an agent that goes on would write to; another one after `newAgent`. */
  readonly destination: StoreDestination;
  closeSegment(): StoredSegment;
  send(segment: StoredSegment, isRecovered: boolean): Promise<void>;
  newAgent(): void;
  stop(): Promise<void>;
}

const dayMs = 86_400_000;

/** Starts a store of its own. The simulated day is the real one, because the engine's own TTL looks at the machine's clock. */
export async function startStoreUnderModel(): Promise<StoreUnderModel> {
  const store = await startTestStore();
  const memory = createMemorySpool();
  const stopping = new AbortController();
  const sending = createSegmentSender({
    spool: memory.spool,
    client: store.client,
    clock: hastyClock,
    log,
    insertSeconds: new Histogram({ name: 'insert_seconds', help: 'x', labelNames: ['table'], registers: [] }),
    onFailure: () => {},
  }).run(stopping.signal);
  const createDestination = () => createStoreDestination({ spool: memory.spool, nowMs: () => self.nowMs });
  let destination: StoreDestination;
  const self: StoreUnderModel = {
    store,
    client: store.client,
    model: createStoreModel(),
    nowMs: Math.floor(Date.now() / dayMs) * dayMs + dayMs / 2,
    get destination() {
      return destination;
    },
    closeSegment: memory.closeSegment,
    send: memory.handOut,
    newAgent() {
      destination = createDestination();
    },
    async stop() {
      stopping.abort();
      await sending;
      await store.stop();
    },
  };
  destination = createDestination();
  return self;
}
