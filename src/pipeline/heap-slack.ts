/**
 * How much V8 lets gather before it collects the whole heap. By itself it collects a heap of 24 MiB once some 7 MiB of request bodies have
 * gone by, six times a second at 50,000 spans a second: a fifth of the agent's CPU (`bench/spans.ts`, docs/decisions/cpu-per-span.md).
 */
import { setFlagsFromString } from 'node:v8';

/** May lie uncollected beside what is in use; a process whose memory is limited gives an eighth of it at most. */
const slackBytes = 96 * 1024 * 1024;
const limitShare = 1 / 8;
/** From here on V8's own choice is as generous. */
const leastPercent = 40;
const mostPercent = 800;

/** What V8 may let the heap grow by, in percent of what is in use; 0 leaves it to V8. */
export function growingPercent(usedBytes: number, limitBytes: number = Number.POSITIVE_INFINITY): number {
  const slack = Math.min(slackBytes, limitBytes * limitShare);
  const percent = Math.floor(slack / Math.max(usedBytes, 1) / 0.2) * 20;
  return percent < leastPercent ? 0 : Math.min(percent, mostPercent);
}

/** Makes the function that tells V8, to be called now and then with the bytes in use; V8 heeds it from its next collection on. */
export function createHeapSlack(limitBytes?: number, setFlag: (flag: string) => void = setFlagsFromString) {
  let told = 0;
  return (usedBytes: number): void => {
    const percent = growingPercent(usedBytes, limitBytes);
    if (percent === told) return;
    told = percent;
    setFlag(`--heap-growing-percent=${percent}`);
  };
}
