/** Pods as the Kubernetes API server tells of them: one list, then a watch that never gives up. */
import type { PodSource } from '../../pipeline/pod-source.ts';
import type { PodSourceOptions } from '../pod-source-options.ts';
import type { KubernetesConnection } from './connection.ts';

export interface KubernetesPodsOptions extends PodSourceOptions {
  readonly connection: KubernetesConnection;
  /** The pods of this node alone; '' for those of all nodes. */
  readonly nodeName: string;
  /** Numbers in [0, 1), for jitter; `Math.random` unless given. */
  readonly random?: () => number;
}

/** Starts to watch pods, and goes on until it is stopped. */
export function createKubernetesPods(_options: KubernetesPodsOptions): PodSource {
  throw new Error('to come');
}
