/** The pods that a source knows, and those who want to hear of changes. */
import { isDeepStrictEqual } from 'node:util';
import type { Pod } from '../model/pod.ts';
import type { PodChange } from '../pipeline/pod-source.ts';

export interface PodSet {
  /** By uid; undefined until the first `replace`. */
  pods(): ReadonlyMap<string, Pod> | undefined;
  subscribe(listener: (change: PodChange) => void): () => void;
  /** Takes a complete set: what is not in it is gone. */
  replace(pods: ReadonlyMap<string, Pod>): PodChange;
  put(pod: Pod): void;
  remove(uid: string): void;
}

/** Makes an empty set. `onListenerError` hears of listeners that threw, which the contract forbids; the others are called all the same. */
export function createPodSet(onListenerError: (error: unknown) => void): PodSet {
  let pods: Map<string, Pod> | undefined;
  const listeners = new Set<(change: PodChange) => void>();
  const tell = (change: PodChange): PodChange => {
    if (change.put.length === 0 && change.gone.length === 0) return change;
    for (const listener of listeners) {
      try {
        listener(change);
      } catch (error) {
        onListenerError(error);
      }
    }
    return change;
  };
  return {
    pods: () => pods,
    subscribe(listener) {
      // A function of its own, so that one listener that subscribed twice is called twice and ended once.
      const own = (change: PodChange) => listener(change);
      listeners.add(own);
      return () => void listeners.delete(own);
    },
    replace(next) {
      const before = pods ?? new Map<string, Pod>();
      const put: Pod[] = [];
      const after = new Map<string, Pod>();
      for (const [uid, pod] of next) {
        const known = before.get(uid);
        // The object that is known already stays, so that a list of an unchanged cluster leaves nothing but garbage behind.
        if (known !== undefined && isDeepStrictEqual(known, pod)) after.set(uid, known);
        else {
          after.set(uid, pod);
          put.push(pod);
        }
      }
      const gone = [...before.values()].filter((pod) => !next.has(pod.uid));
      pods = after;
      return tell({ put, gone });
    },
    put(pod) {
      pods ??= new Map();
      const known = pods.get(pod.uid);
      if (known !== undefined && isDeepStrictEqual(known, pod)) return;
      pods.set(pod.uid, pod);
      tell({ put: [pod], gone: [] });
    },
    remove(uid) {
      const known = pods?.get(uid);
      if (known === undefined || pods === undefined) return;
      pods.delete(uid);
      tell({ put: [], gone: [known] });
    },
  };
}
