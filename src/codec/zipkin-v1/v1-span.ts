/** A span of Zipkin's first version, where client and server wrote into the same one and each event and tag names its endpoint. */
import type { Long } from '../../model/long.ts';
import type { Endpoint } from '../../model/span.ts';

export interface V1Annotation {
  readonly timestampUs: Long;
  readonly value: string;
  readonly endpoint: Endpoint | undefined;
}

export interface V1BinaryAnnotation {
  readonly key: string;
  /** Undefined for the address of a peer, which says nothing but its endpoint. */
  readonly value: string | undefined;
  readonly endpoint: Endpoint | undefined;
}

/** Times are as the sender wrote them, 0 where it wrote none. Endpoints that are the same may be the same object, which saves comparing them. */
export interface V1Span {
  /** 32 digits; the lower 16 are not all zeros. */
  readonly traceId: string;
  /** 16 digits, not all zeros. */
  readonly id: string;
  readonly parentId: string | undefined;
  readonly name: string;
  readonly timestampUs: Long;
  readonly durationUs: Long;
  readonly annotations: V1Annotation[];
  readonly binaryAnnotations: V1BinaryAnnotation[];
  readonly debug: boolean;
}

/** Whether a binary annotation's key names a peer: the client's, the server's or the message broker's address. */
export function isAddressKey(key: string): boolean {
  return key === 'ca' || key === 'sa' || key === 'ma';
}
