/** How components learn of pods, without knowing whether Kubernetes or a directory tells. */
import type { Pod } from '../model/pod.ts';
import type { Health } from './component.ts';

export interface PodChange {
  /** New pods and changed ones. */
  readonly put: readonly Pod[];
  readonly gone: readonly Pod[];
}

/** The last complete good set and its changes. While the source is away the set stays as it was, and `health` says so. */
export interface PodSource {
  /** By uid; undefined until there has been a complete set. */
  pods(): ReadonlyMap<string, Pod> | undefined;
  /** Called after the set has changed; the function that comes back ends it. A listener must not throw. */
  subscribe(listener: (change: PodChange) => void): () => void;
  health(): Health;
  /** Ends it; may be called twice. */
  stop(deadline: AbortSignal): Promise<void>;
}
