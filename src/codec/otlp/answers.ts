/** What an OTLP server answers: how many spans it did not take, or why it took none. */
import { WireWriter } from '../protobuf/wire-writer.ts';
import {
  type ExportTraceServiceResponse,
  encodeExportTraceServiceResponse,
  encodeRpcStatus,
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

/** The body of a 200: nothing about spans that were taken; refused ones with the reason, which must not be sent again. */
export function encodeExportAnswer(
  refused: { readonly rejected: number; readonly reason: string },
  format: OtlpFormat,
): Uint8Array {
  const isWhole = refused.rejected === 0 && refused.reason === '';
  const answer: ExportTraceServiceResponse = {
    partialSuccess: isWhole ? undefined : { rejectedSpans: BigInt(refused.rejected), errorMessage: refused.reason },
  };
  if (format === 'json')
    return Buffer.from(
      writeExportTraceServiceResponse({
        partialSuccess: answer.partialSuccess ?? { rejectedSpans: 0n, errorMessage: '' },
      }),
    );
  const writer = new WireWriter();
  encodeExportTraceServiceResponse(answer, writer);
  return writer.finish();
}

/** The body of an answer that refuses the whole request: `google.rpc.Status`. */
export function encodeRefusal(code: number, message: string, format: OtlpFormat): Uint8Array {
  if (format === 'json') return Buffer.from(writeRpcStatus({ code, message }));
  const writer = new WireWriter();
  encodeRpcStatus({ code, message }, writer);
  return writer.finish();
}
