/** What OTLP's services have in common, whatever they are reached by: a request's bytes come in, and what became of its items is said. */
import { type OtlpFormat, rpcCodes } from '../../codec/otlp/answers.ts';
import type { Outcome } from '../../model/batch.ts';
import { retryResponse } from '../../pipeline/refusal.ts';

/** A request that is refused has its status as HTTP and as gRPC say it. */
export interface RefusedExport {
  readonly kind: 'refused';
  readonly status: number;
  readonly rpcCode: number;
  readonly message: string;
  readonly retryAfterMs?: number;
}

/** What became of a request. */
export type ExportOutcome =
  | { readonly kind: 'taken'; readonly rejected: number; readonly reason: string }
  | RefusedExport;

export interface ExportRequest {
  readonly body: Buffer;
  readonly format: OtlpFormat;
  readonly signal: AbortSignal;
}

export type ExportService = (request: ExportRequest) => Promise<ExportOutcome>;

/** gRPC's code for a refusal's HTTP status, as the OpenTelemetry collector pairs them. */
export function rpcCodeOf(status: number): number {
  if (status === 429) return rpcCodes.resourceExhausted;
  if (status === 503) return rpcCodes.unavailable;
  return status < 500 ? rpcCodes.invalidArgument : rpcCodes.internal;
}

export const refusedExport = (status: number, message: string): RefusedExport => ({
  kind: 'refused',
  status,
  rpcCode: rpcCodeOf(status),
  message,
});

/** The refusal of a request that its sender may send again, later. */
export function retryLater(outcome: Extract<Outcome, { kind: 'retry' }>): RefusedExport {
  const { status, retryAfterMs } = retryResponse(outcome);
  const refused = refusedExport(status, outcome.cause.message);
  return retryAfterMs === undefined ? refused : { ...refused, retryAfterMs };
}
