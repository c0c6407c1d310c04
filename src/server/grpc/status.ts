/** gRPC's statuses and how they are written into headers (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md). */

/** Those of gRPC's codes that are answered here (https://github.com/grpc/grpc/blob/master/doc/statuscodes.md). */
export const grpcCodes = {
  OK: 0,
  CANCELLED: 1,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
} as const;

export type GrpcCode = keyof typeof grpcCodes;

/** A call's end. With `retryAfterMs` the client is told by `google.rpc.RetryInfo` that it may call again, and when. */
export interface GrpcStatus {
  readonly code: GrpcCode;
  readonly message: string;
  readonly retryAfterMs?: number;
}

/** Clients bear 8 KiB of headers; three bytes stand for one that is not ASCII, and the details repeat it. */
const maxMessageLength = 500;

/** The headers that end a call. */
export function statusHeaders(status: GrpcStatus): Record<string, string> {
  const headers: Record<string, string> = { 'grpc-status': String(grpcCodes[status.code]) };
  if (status.message === '') return headers;
  const message = shorten(status.message);
  headers['grpc-message'] = percentEncode(message);
  if (status.retryAfterMs !== undefined) {
    headers['grpc-status-details-bin'] = encodeRetryStatus({ ...status, message }, status.retryAfterMs);
  }
  return headers;
}

function shorten(message: string): string {
  const line = message.trimEnd();
  return line.length > maxMessageLength ? `${line.slice(0, maxMessageLength)}…` : line;
}

/** Percent-Encoded of the protocol: space to `~` stand for themselves, but for `%`. */
function percentEncode(message: string): string {
  if (/^[ -$&-~]*$/.test(message)) return message;
  let text = '';
  for (const byte of Buffer.from(message)) {
    text +=
      byte >= 0x20 && byte <= 0x7e && byte !== 0x25
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return text;
}

const retryInfoType = Buffer.from('type.googleapis.com/google.rpc.RetryInfo');

/** A `google.rpc.Status` with a `RetryInfo`, in base64 without padding, as binary headers are written. */
function encodeRetryStatus({ code, message }: GrpcStatus, retryAfterMs: number): string {
  const delayMs = Math.max(0, Math.round(retryAfterMs));
  const delay = Buffer.concat([integerField(1, Math.floor(delayMs / 1000)), integerField(2, (delayMs % 1000) * 1e6)]);
  const any = Buffer.concat([bytesField(1, retryInfoType), bytesField(2, bytesField(1, delay))]);
  const status = Buffer.concat([
    integerField(1, grpcCodes[code]),
    bytesField(2, Buffer.from(message)),
    bytesField(3, any),
  ]);
  return status.toString('base64').replace(/=+$/, '');
}

/** A field of protobuf; 0 is not written. */
function integerField(field: number, value: number): Buffer {
  return value === 0 ? Buffer.alloc(0) : Buffer.from([field * 8, ...variableLength(value)]);
}

function bytesField(field: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([field * 8 + 2, ...variableLength(bytes.length)]), bytes]);
}

function variableLength(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) + 0x80);
  return [...bytes, rest];
}
