/** How long what was acknowledged waits until its segment is in the store: appends and segments are both in order, so counting items tells which is in which. */
import type { Signal } from '../../src/model/batch.ts';
import type { Segment, Spool } from '../../src/pipeline/spool/spool.ts';
import { signalOfSection } from '../../src/store/intake/sections.ts';
import { quantile } from '../lib/processes.ts';

export interface LagWatch {
  /** The spool to hand to destination and sender. */
  readonly spool: Spool;
  acknowledged(signal: Signal, items: number, atMs: number): void;
  /** From the acknowledgement until a query finds it. */
  lag(signal: Signal): { readonly p50: number; readonly p99: number; readonly max: number } | undefined;
}

interface Acknowledged {
  items: number;
  readonly atMs: number;
}

/** Puts a watch on a spool's segments. */
export function createLagWatch(spool: Spool): LagWatch {
  const waiting = new Map<Signal, Acknowledged[]>();
  const lags = new Map<Signal, number[]>();
  const of = <Value>(map: Map<Signal, Value[]>, signal: Signal): Value[] => {
    const list = map.get(signal) ?? [];
    map.set(signal, list);
    return list;
  };
  const stored = (signal: Signal, count: number): void => {
    const queue = of(waiting, signal);
    const nowMs = performance.now();
    let left = count;
    let taken = 0;
    for (; taken < queue.length && left > 0; taken++) {
      const first = queue[taken];
      if (first === undefined) break;
      if (first.items > left) {
        first.items -= left;
        break;
      }
      left -= first.items;
      of(lags, signal).push(nowMs - first.atMs);
    }
    queue.splice(0, taken);
  };
  const watched = (segment: Segment): Segment => {
    let counts = new Map<Signal, number>();
    return {
      number: segment.number,
      writer: segment.writer,
      id: segment.id,
      sizeBytes: segment.sizeBytes,
      createdMs: segment.createdMs,
      isRecovered: segment.isRecovered,
      setAside: (why) => segment.setAside(why),
      putBack: () => segment.putBack(),
      async *records() {
        counts = new Map();
        for await (const record of segment.records()) {
          for (const { kind, items } of record.sections) {
            const signal = signalOfSection(kind);
            if (signal !== undefined) counts.set(signal, (counts.get(signal) ?? 0) + items);
          }
          yield record;
        }
      },
      async release() {
        await segment.release();
        for (const [signal, count] of counts) stored(signal, count);
      },
    };
  };
  return {
    spool: {
      directory: spool.directory,
      append: (sections, signal) => spool.append(sections, signal),
      nextSegment: async (signal) => watched(await spool.nextSegment(signal)),
      rotate: () => spool.rotate(),
      released: (number, signal) => spool.released(number, signal),
      positions: (prefix) => spool.positions(prefix),
      stats: () => spool.stats(),
      close: () => spool.close(),
    },
    acknowledged(signal, items, atMs) {
      of(waiting, signal).push({ items, atMs });
    },
    lag(signal) {
      const list = lags.get(signal);
      if (list === undefined) return undefined;
      return { p50: quantile(list, 0.5), p99: quantile(list, 0.99), max: quantile(list, 1) };
    },
  };
}
