/** One watch, from its request to its end, whatever ends it. */
import type { Clock } from '../../pipeline/component.ts';
import type { KeptAnnotations } from '../pod-object.ts';
import type { ApiClient } from './api-client.ts';
import { startDeadline } from './deadline.ts';
import { ApiFailure } from './failure.ts';
import { createLineSplitter } from './line-splitter.ts';
import { type PodEvent, readPodEvent } from './pod-event.ts';

export interface WatchOptions {
  readonly client: ApiClient;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly keptAnnotations: KeptAnnotations;
  readonly fieldSelector: string;
  /** Where to go on; undefined for all that is there first, and then its changes. */
  readonly version: string | undefined;
  /** After which the server ends it properly. */
  readonly timeoutSeconds: number;
  /** For all that is there first. */
  readonly listDeadlineMs: number;
  readonly name: string;
  onOpen(): void;
  onEvent(event: PodEvent): void;
  onLineTooLong(sizeBytes: number): void;
}

export const watchLimits = {
  /** etcd takes objects of 1.5 MB; as JSON they may be a few times that. */
  lineBytes: 8 * 1024 * 1024,
  /** Bookmarks come each minute: what sends nothing for longer is not there any more. */
  silenceMs: 90_000,
} as const;

/** Follows a watch. Resolves when the server ends it properly; everything else is an `ApiFailure`. */
export async function watchPods(options: WatchOptions): Promise<void> {
  const { client, clock, signal, name } = options;
  const isList = options.version === undefined;
  let isComplete = !isList;
  const deadline = startDeadline(clock, isList ? options.listDeadlineMs : watchLimits.silenceMs, signal);
  const splitter = createLineSplitter({
    maxLineBytes: watchLimits.lineBytes,
    onTooLong: options.onLineTooLong,
    onLine(line) {
      const event = readPodEvent(line, options.keptAnnotations, name);
      if (event.kind === 'bookmark' && event.isInitialEnd) isComplete = true;
      options.onEvent(event);
    },
  });
  try {
    const { body } = await client.get(`/api/v1/pods?${queryOf(options)}`, deadline.signal);
    options.onOpen();
    for await (const chunk of body) {
      splitter.push(chunk);
      if (isComplete) deadline.putOff(watchLimits.silenceMs);
    }
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (deadline.hasPassed()) throw silence(isComplete, options);
    throw client.failureOf(error);
  } finally {
    deadline.clear();
  }
  if (!isComplete) throw new ApiFailure('protocol', `${name} ended its list of pods before it was complete`);
}

function silence(isComplete: boolean, { name, listDeadlineMs }: WatchOptions): ApiFailure {
  const text = isComplete
    ? `${name} has sent nothing for ${watchLimits.silenceMs / 1000} s, not even a bookmark; the connection is taken for dead`
    : `${name} has not sent its whole list of pods within ${listDeadlineMs / 1000} s`;
  return new ApiFailure('timeout', text);
}

function queryOf({ fieldSelector, version, timeoutSeconds }: WatchOptions): URLSearchParams {
  const start: Record<string, string> =
    version === undefined
      ? { sendInitialEvents: 'true', resourceVersionMatch: 'NotOlderThan' }
      : { resourceVersion: version };
  return new URLSearchParams({
    watch: 'true',
    allowWatchBookmarks: 'true',
    timeoutSeconds: String(timeoutSeconds),
    ...start,
    ...(fieldSelector === '' ? {} : { fieldSelector }),
  });
}
