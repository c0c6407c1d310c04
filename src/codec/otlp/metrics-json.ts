/** OTLP's metrics in JSON take the same way as in protobuf, so that both come to the same: they are written once more, as protobuf. */
import { CodecError } from '../codec-error.ts';
import { WireWriter } from '../protobuf/wire-writer.ts';
import { parseJson } from './json-text.ts';
import { tellTooManySamples } from './metrics-collector.ts';
import { encodeExportMetricsServiceRequest, readExportMetricsServiceRequest } from './otlp.generated.ts';

const openBrace = 0x7b;
/** The shortest attribute has 19 bytes for each object; what has more objects would cost seconds before its metrics are counted. */
const leastBytesPerObject = 16;

/** The request of a body. One with more samples than may be is refused before it is read. */
export function jsonToProtobuf(body: Buffer, maxSamples: number): Buffer {
  if (hasTooManyObjects(body)) throw new CodecError('malformed JSON: more objects than a request of metrics has');
  try {
    const json = parseJson(body);
    countNumbers(json, maxSamples);
    const writer = new WireWriter();
    encodeExportMetricsServiceRequest(readExportMetricsServiceRequest(json), writer);
    const bytes = writer.finish();
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  } catch (error) {
    if (!(error instanceof CodecError) || error.constructor !== CodecError) throw error;
    // What stands before the first place is for a field within a message.
    throw new CodecError(error.message.replace(/^(?:\.|: )/, ''));
  }
}

function hasTooManyObjects(body: Buffer): boolean {
  let left = 64 + body.length / leastBytesPerObject;
  for (let at = body.indexOf(openBrace); at !== -1; at = body.indexOf(openBrace, at + 1)) if (--left < 0) return true;
  return false;
}

/** Numbers of buckets are no objects: their lists are counted, wherever they stand, and so are all other lists but those of texts. */
function countNumbers(json: unknown, maxSamples: number): void {
  let left = maxSamples * 32;
  const pending: unknown[] = [json];
  while (pending.length > 0) {
    const value = pending.pop();
    if (typeof value !== 'object' || value === null) continue;
    const items: readonly unknown[] = Array.isArray(value) ? value : Object.values(value);
    if (Array.isArray(value)) left -= value.length;
    if (left < 0) throw tellTooManySamples(maxSamples);
    // A list of numbers or texts has nothing within.
    if (typeof items[0] === 'object' || !Array.isArray(value)) for (const item of items) pending.push(item);
  }
}
