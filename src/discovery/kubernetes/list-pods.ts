/** A whole list in pages, each cut down before the next is asked for. For servers that cannot list by watch. */
import type { Pod } from '../../model/pod.ts';
import type { Clock } from '../../pipeline/component.ts';
import { isJsonObject, type KeptAnnotations, projectPod } from '../pod-object.ts';
import type { ApiClient } from './api-client.ts';
import { startDeadline } from './deadline.ts';
import { ApiFailure } from './failure.ts';

export interface PodList {
  readonly pods: Map<string, Pod>;
  /** Where a watch goes on. */
  readonly version: string;
}

export interface ListOptions {
  readonly client: ApiClient;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly keptAnnotations: KeptAnnotations;
  /** '' for all. */
  readonly fieldSelector: string;
  /** For each page. */
  readonly deadlineMs: number;
  readonly maxPods: number;
}

export const pageLimits = {
  pods: 500,
  /** 500 pods with sidecars have 5 MB; a page of more than this is asked for again in smaller pieces. */
  bytes: 32 * 1024 * 1024,
} as const;

interface Page {
  readonly items: readonly unknown[];
  readonly version: string;
  /** '' on the last page. */
  readonly next: string;
}

/** Lists all pods. Throws an `ApiFailure`; of a list that breaks off nothing is given. */
export async function listPods(options: ListOptions): Promise<PodList> {
  const pods = new Map<string, Pod>();
  let limit: number = pageLimits.pods;
  let next = '';
  for (;;) {
    const page = await readPage({ ...options, limit, next });
    if (page === 'too large') {
      if (limit === 1) throw new ApiFailure('protocol', `one pod of the list has more than ${pageLimits.bytes} bytes`);
      limit = Math.max(1, Math.floor(limit / 8));
      continue;
    }
    for (const item of page.items) {
      if (!isJsonObject(item) || pods.size >= options.maxPods) continue;
      const pod = projectPod(item, options.keptAnnotations);
      pods.set(pod.uid, pod);
    }
    if (page.next === '') return { pods, version: page.version };
    next = page.next;
  }
}

async function readPage(options: ListOptions & { limit: number; next: string }): Promise<Page | 'too large'> {
  const { client, clock, signal, fieldSelector, limit, next, deadlineMs } = options;
  const query = new URLSearchParams({ limit: String(limit) });
  if (fieldSelector !== '') query.set('fieldSelector', fieldSelector);
  if (next !== '') query.set('continue', next);
  const deadline = startDeadline(clock, deadlineMs, signal);
  try {
    const { body } = await client.get(`/api/v1/pods?${query}`, deadline.signal);
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    for await (const chunk of body) {
      sizeBytes += chunk.length;
      if (sizeBytes > pageLimits.bytes) return 'too large';
      chunks.push(chunk);
    }
    return parsePage(Buffer.concat(chunks).toString('utf8'));
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (deadline.hasPassed()) {
      throw new ApiFailure('timeout', `a list of pods was not complete after ${deadlineMs / 1000} s`, { cause: error });
    }
    throw client.failureOf(error);
  } finally {
    deadline.clear();
  }
}

function parsePage(text: string): Page {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new ApiFailure('protocol', 'the list of pods is not JSON; is that address a Kubernetes API server?', {
      cause,
    });
  }
  const metadata = isJsonObject(parsed) ? parsed['metadata'] : undefined;
  const version = isJsonObject(metadata) ? metadata['resourceVersion'] : undefined;
  const items = isJsonObject(parsed) ? (parsed['items'] ?? []) : undefined;
  if (!isJsonObject(metadata) || typeof version !== 'string' || !Array.isArray(items)) {
    throw new ApiFailure('protocol', 'the list of pods is not a PodList; is that address a Kubernetes API server?');
  }
  const next = metadata['continue'];
  return { items, version, next: typeof next === 'string' ? next : '' };
}
