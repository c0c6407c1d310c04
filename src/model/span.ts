import type { Resource } from './resource.ts';
import type { SpanDetails } from './span-details.ts';

/** In the order of the table's numbers. Zipkin has no INTERNAL and writes it as no kind. */
export const spanKinds = ['CLIENT', 'SERVER', 'PRODUCER', 'CONSUMER', 'INTERNAL'] as const;
export type SpanKind = (typeof spanKinds)[number];

export const spanStatuses = ['unset', 'ok', 'error'] as const;
export type SpanStatus = (typeof spanStatuses)[number];

/** One side of a call. At least one field is set; an absent one is undefined. */
export interface Endpoint {
  /** As the sender spelled it; Zipkin's view folds it to lower case. */
  readonly serviceName: string | undefined;
  /** Dotted quad. */
  readonly ipv4: string | undefined;
  /** RFC 5952: lower case, `::` for the longest run of zeros. */
  readonly ipv6: string | undefined;
  /** 1 to 65535. */
  readonly port: number | undefined;
}

/** Something that happened during a span; Zipkin calls it an annotation. */
export interface SpanEvent {
  readonly timestampUs: number;
  readonly value: string;
  /** What to add to a time that no double holds (`long.ts`). */
  readonly restUs?: number | undefined;
}

/**
 * One operation of one process within a trace. Client and server of a call may share one id (`shared`), so `(traceId, id)` is no key.
 */
export interface Span {
  /** 32 lower-case hex digits; the high 16 are zeros where the sender used 64 bits. */
  readonly traceId: string;
  /** 16 lower-case hex digits. All zeros only where the sender wrote fewer zeros than 16, which Zipkin takes. */
  readonly id: string;
  readonly parentId: string | undefined;
  readonly kind: SpanKind | undefined;
  /** True on the server's half of a call whose client span has the same id. */
  readonly shared: boolean;
  readonly debug: boolean;
  /** As the sender spelled it; '' when it gave none. */
  readonly name: string;
  /** Microseconds since 1970; undefined when the sender gave none. */
  readonly startUs: number | undefined;
  readonly durationUs: number | undefined;
  /** What to add to `startUs` where no double holds the start (`long.ts`); Zipkin takes any 63 bits, and OpenTelemetry's lies in `details`. */
  readonly startRestUs?: number | undefined;
  /** The same for the duration. */
  readonly durationRestUs?: number | undefined;
  readonly status: SpanStatus;
  readonly localEndpoint: Endpoint | undefined;
  readonly remoteEndpoint: Endpoint | undefined;
  /** A Zipkin span's are sorted by time, then value; an OpenTelemetry span's stand as they came. */
  readonly events: readonly SpanEvent[];
  readonly attributes: Readonly<Record<string, string>>;
  readonly resource: Resource;
  /** What only OpenTelemetry says; undefined for spans that came as Zipkin's. */
  readonly details?: SpanDetails | undefined;
}
