/** What an OTLP server answers: how many spans or data points it did not take, or why it took none. */
import { WireWriter } from '../protobuf/wire-writer.ts';
import {
  encodeExportMetricsServiceResponse,
  encodeExportTraceServiceResponse,
  encodeRpcStatus,
  writeExportMetricsServiceResponse,
  writeExportTraceServiceResponse,
  writeRpcStatus,
} from './otlp.generated.ts';

export type OtlpFormat = 'protobuf' | 'json';

/** Some of gRPC's status codes. */
export const rpcCodes = {
  ok: 0,
  invalidArgument: 3,
  deadlineExceeded: 4,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

/** What of a request was not taken and must not be sent again, with the reason. */
export interface PartialRefusal {
  readonly rejected: number;
  readonly reason: string;
}

/** A JSON body says that it is partial even where it is not, as the collector's does. */
const hasWord = ({ rejected, reason }: PartialRefusal, format: OtlpFormat): boolean =>
  format === 'json' || rejected > 0 || reason !== '';

/** The body of a 200 to a request of traces: nothing about spans that were taken. */
export function encodeTraceAnswer(refused: PartialRefusal, format: OtlpFormat): Uint8Array {
  const partialSuccess = { rejectedSpans: BigInt(refused.rejected), errorMessage: refused.reason };
  const answer = { partialSuccess: hasWord(refused, format) ? partialSuccess : undefined };
  if (format === 'json') return Buffer.from(writeExportTraceServiceResponse(answer));
  const writer = new WireWriter();
  encodeExportTraceServiceResponse(answer, writer);
  return writer.finish();
}

/** The body of a 200 to a request of metrics, likewise. */
export function encodeMetricsAnswer(refused: PartialRefusal, format: OtlpFormat): Uint8Array {
  const partialSuccess = { rejectedDataPoints: BigInt(refused.rejected), errorMessage: refused.reason };
  const answer = { partialSuccess: hasWord(refused, format) ? partialSuccess : undefined };
  if (format === 'json') return Buffer.from(writeExportMetricsServiceResponse(answer));
  const writer = new WireWriter();
  encodeExportMetricsServiceResponse(answer, writer);
  return writer.finish();
}

/** The body of an answer that refuses the whole request: `google.rpc.Status`. */
export function encodeRefusal(code: number, message: string, format: OtlpFormat): Uint8Array {
  if (format === 'json') return Buffer.from(writeRpcStatus({ code, message }));
  const writer = new WireWriter();
  encodeRpcStatus({ code, message }, writer);
  return writer.finish();
}
