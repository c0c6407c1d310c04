import type { Resource } from './resource.ts';

export type LogStream = 'stdout' | 'stderr' | '';

/** One line of a log, or several that belong together. */
export interface LogRecord {
  /** The runtime's own stamp, nanoseconds since 1970. */
  readonly timeNs: bigint;
  readonly stream: LogStream;
  readonly body: string;
  /** `trace` to `fatal`, or '' when the line does not say. */
  readonly severity: string;
  /** 32 hex digits, or ''. */
  readonly traceId: string;
  /** 16 hex digits, or ''. */
  readonly spanId: string;
  /** Envoy's `x-request-id`, or ''. */
  readonly requestId: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly resource: Resource;
}
