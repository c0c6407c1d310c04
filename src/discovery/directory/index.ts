/** Pods from a directory of manifests: what a cluster says elsewhere, without a cluster. */

import type { PodSource } from '../../pipeline/pod-source.ts';
import { counted } from '../counted.ts';
import { createPodSet } from '../pod-set.ts';
import type { PodSourceOptions } from '../pod-source-options.ts';
import { createDirectoryReader, type DirectoryReport } from './directory-reader.ts';

export interface DirectoryPodsOptions extends PodSourceOptions {
  /** The directory; its files named `*.yaml`, `*.yml` and `*.json` are read, those below it and hidden ones are not. */
  readonly path: string;
  /** The node of pods that name none. */
  readonly nodeName: string;
}

/** Two looks that agree make a change, so a file that is being written is not read half, and a change is told in half a second. */
const lookEveryMs = 250;
/** Looking costs 10 to 60 µs a file: with more than 500 of them it is done more seldom. */
const restMsAFile = 0.5;

/** Starts to read pods from a directory, and goes on until it is stopped. `createDirectoryPods({ path: '/etc/trawl/pods', … })` */
export function createDirectoryPods(options: DirectoryPodsOptions): PodSource {
  const { clock, log, meter, name } = options;
  const fail = (why: string): void => {
    log.warn({ directory: options.path }, why);
    meter.failed(name, why);
  };
  const set = createPodSet((error) => fail(`A listener to changes of pods threw: ${String(error)}`));
  const stopping = new AbortController();
  const reader = createDirectoryReader({ ...options, signal: stopping.signal, fail });
  let report: DirectoryReport | undefined;

  const follow = async (): Promise<void> => {
    for (;;) {
      const next = await reader.look();
      if (stopping.signal.aborted) return;
      if (next.pods !== undefined && next.pods !== report?.pods) set.replace(next.pods);
      report = next;
      await clock.sleep(Math.max(lookEveryMs, next.files * restMsAFile), stopping.signal);
    }
  };
  const ended = follow().catch((error: unknown) => {
    if (!stopping.signal.aborted) fail(`Reading pods from ${options.path} ended: ${String(error)}`);
  });

  return {
    pods: set.pods,
    subscribe: set.subscribe,
    health() {
      if (report === undefined) return { isHealthy: true, line: `is reading the manifests in ${options.path}` };
      if (report.problems.length > 0) return { isHealthy: false, line: report.problems.join('; ') };
      return {
        isHealthy: true,
        line: `${counted(set.pods()?.size ?? 0, 'pod')} in ${counted(report.files, 'manifest')} of ${options.path}`,
      };
    },
    async stop() {
      stopping.abort(new Error('stopped'));
      await ended;
    },
  };
}
