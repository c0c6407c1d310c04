/** Pods as the Kubernetes API server tells of them: one list, then a watch that never gives up. */

import type { Health } from '../../pipeline/component.ts';
import type { PodSource } from '../../pipeline/pod-source.ts';
import { counted } from '../counted.ts';
import { createPodSet } from '../pod-set.ts';
import type { PodSourceOptions } from '../pod-source-options.ts';
import { createApiClient } from './api-client.ts';
import type { KubernetesConnection } from './connection.ts';
import { createWatcher } from './watcher.ts';

export interface KubernetesPodsOptions extends PodSourceOptions {
  readonly connection: KubernetesConnection;
  /** The pods of this node alone; '' for those of all nodes. */
  readonly nodeName: string;
  /** Numbers in [0, 1), for jitter; `Math.random` unless given. */
  readonly random?: () => number;
}

/** What passes by itself within this long is not worth a word. */
const graceMs = 10_000;

/** Starts to watch pods, and goes on until it is stopped. `createKubernetesPods({ connection, nodeName: 'node-1', … })` */
export function createKubernetesPods(options: KubernetesPodsOptions): PodSource {
  const { clock, connection, log, meter, name, nodeName, random = Math.random } = options;
  const set = createPodSet((error) => {
    log.error({ err: error }, 'A listener to changes of pods threw.');
    meter.failed(name, `A listener to changes of pods threw: ${String(error)}`);
  });
  const client = createApiClient({ connection, clock });
  const fieldSelector = nodeName === '' ? '' : `spec.nodeName=${nodeName}`;
  const watcher = createWatcher({ ...options, client, set, server: connection.name, fieldSelector, random });
  const stopping = new AbortController();
  const whose = nodeName === '' ? 'of all nodes' : `of ${nodeName}`;

  const ended = watcher.run(stopping.signal).catch((error: unknown) => {
    if (stopping.signal.aborted) return;
    log.error({ err: error }, 'Watching pods has ended; this is a fault of Trawl.');
    meter.failed(name, `Watching pods has ended: ${String(error)}`);
  });

  const health = (): Health => {
    const known = set.pods();
    const trouble = watcher.trouble();
    const isLasting =
      trouble !== undefined &&
      (trouble.isFinal || known === undefined || clock.monotonicMs() - trouble.sinceMs > graceMs);
    if (trouble !== undefined && isLasting) {
      const kept =
        known === undefined
          ? 'no pods are known yet'
          : `the ${counted(known.size, 'pod')} ${whose} known before ${known.size === 1 ? 'is' : 'are'} kept`;
      return { isHealthy: false, line: `${trouble.text}; ${kept}` };
    }
    if (known === undefined) return { isHealthy: true, line: `is listing the pods ${whose} from ${connection.name}` };
    return { isHealthy: true, line: `${counted(known.size, 'pod')} ${whose}, as ${connection.name} tells` };
  };

  return {
    pods: set.pods,
    subscribe: set.subscribe,
    health,
    async stop() {
      stopping.abort(new Error('stopped'));
      await ended;
      await client.close();
    },
  };
}
