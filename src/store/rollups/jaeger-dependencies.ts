/** Calls between services as Jaeger counts them: every span whose parent is in its trace, calls within one service included. */
import type { StoreClient } from '../client.ts';

/** Names are spelled as their spans spell them; '' for spans that name no service. */
export interface JaegerDependency {
  readonly parent: string;
  readonly child: string;
  readonly callCount: number;
}

export interface JaegerDependencyOptions {
  /** Rounded down to a whole minute. */
  readonly startMs: number;
  /** Rounded up to a whole minute. */
  readonly endMs: number;
  readonly signal: AbortSignal;
  /** For each of the queries. */
  readonly timeoutMs?: number;
}

/** Counts the window's calls, sorted by parent, then child. */
export type ReadJaegerDependencies = (
  client: StoreClient,
  options: JaegerDependencyOptions,
) => Promise<readonly JaegerDependency[]>;
