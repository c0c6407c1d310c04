/** Reads `zipkinCore.thrift` structs. A field whose type is not the expected one is skipped like an unknown one. Hot: bench/codec.ts. */
import type { Long } from '../../model/long.ts';
import type { Endpoint } from '../../model/span.ts';
import type { ByteReader } from '../byte-reader.ts';
import { createRepeatedPartReader } from '../repeated-part.ts';
import { WideSpanError } from '../wide-span-error.ts';
import { isAddressKey, type V1Annotation, type V1BinaryAnnotation, type V1Span } from '../zipkin-v1/v1-span.ts';
import { addIpBytes, type RawEndpoint, toEndpoint } from '../zipkin-v2-json/span-fields.ts';
import { skipValue } from './skip-value.ts';
import {
  binaryAnnotationBool,
  binaryAnnotationString,
  thriftBool,
  thriftI16,
  thriftI32,
  thriftI64,
  thriftList,
  thriftStop,
  thriftString,
  thriftStruct,
} from './thrift-types.ts';

/** A field's type and number in one number, to switch on. */
const field = (type: number, id: number): number => (type << 16) | id;
const spanTraceId = field(thriftI64, 1);
const spanName = field(thriftString, 3);
const spanId = field(thriftI64, 4);
const spanParentId = field(thriftI64, 5);
const spanAnnotations = field(thriftList, 6);
const spanBinaryAnnotations = field(thriftList, 8);
const spanDebug = field(thriftBool, 9);
const spanTimestamp = field(thriftI64, 10);
const spanDuration = field(thriftI64, 11);
const spanTraceIdHigh = field(thriftI64, 12);
const annotationTimestamp = field(thriftI64, 1);
const annotationValue = field(thriftString, 2);
const annotationHost = field(thriftStruct, 3);
const binaryAnnotationKey = field(thriftString, 1);
const binaryAnnotationValue = field(thriftString, 2);
const binaryAnnotationType = field(thriftI32, 3);
const binaryAnnotationHost = field(thriftStruct, 4);
const endpointIpv4 = field(thriftI32, 1);
const endpointPort = field(thriftI16, 2);
const endpointServiceName = field(thriftString, 3);
const endpointIpv6 = field(thriftString, 4);

const zeros = '0000000000000000';
/** A span has its fields once, unless it means harm. */
const otherFields = 64;
const trueText = '\x01';

/** A span while its fields come in. */
interface Draft {
  traceIdHigh: string;
  traceId: string;
  id: string;
  parentId: string;
  name: string;
  timestampUs: Long;
  durationUs: Long;
  debug: boolean;
  readonly annotations: V1Annotation[];
  readonly binaryAnnotations: V1BinaryAnnotation[];
}

/** Reads one span after the other; a class for the endpoint that it remembers. More tags or annotations than `maxParts` are a WideSpanError. */
export class SpanReader {
  readonly #bytes: ByteReader;
  readonly #maxParts: number;
  readonly #readEndpoint: (length: number) => Endpoint | undefined;

  constructor(bytes: ByteReader, maxParts: number) {
    this.#bytes = bytes;
    this.#maxParts = maxParts;
    bytes.maxSkipped = maxParts;
    this.#readEndpoint = createRepeatedPartReader(bytes, () => readEndpoint(bytes));
  }

  /** The count of a list. Zipkin does not look at the type of the elements. */
  readListLength(): number {
    const bytes = this.#bytes;
    bytes.skip(1);
    const length = bytes.int32();
    if (length > bytes.remaining) throw bytes.error(`Truncated: length ${length} > bytes available ${bytes.remaining}`);
    return length;
  }

  #readPartCount(parts: 'tags' | 'annotations', before: number): number {
    const count = this.readListLength();
    if (before + count > this.#maxParts) throw new WideSpanError(parts, this.#maxParts);
    return count;
  }

  readSpan(): V1Span {
    const bytes = this.#bytes;
    bytes.skipped = 0;
    const draft: Draft = {
      traceIdHigh: zeros,
      traceId: zeros,
      id: zeros,
      parentId: zeros,
      name: '',
      timestampUs: 0,
      durationUs: 0,
      debug: false,
      annotations: [],
      binaryAnnotations: [],
    };
    let fields = 0;
    for (let type = bytes.byte(); type !== thriftStop; type = bytes.byte()) {
      if (++fields > this.#maxParts + otherFields) throw new WideSpanError('fields', this.#maxParts);
      const key = field(type, bytes.uint16());
      if (!this.#readId(key, draft)) this.#readSpanField(key, draft);
    }
    const { traceId, id, parentId } = draft;
    if (traceId === zeros) throw bytes.error('traceId == 0');
    if (id === zeros) throw bytes.error('id == 0');
    return {
      traceId: draft.traceIdHigh + traceId,
      id,
      parentId: parentId === zeros ? undefined : parentId,
      name: draft.name,
      timestampUs: draft.timestampUs,
      durationUs: draft.durationUs,
      annotations: draft.annotations,
      binaryAnnotations: draft.binaryAnnotations,
      debug: draft.debug,
    };
  }

  #readId(key: number, draft: Draft): boolean {
    switch (key) {
      case spanTraceId:
        draft.traceId = this.#bytes.hex(8);
        return true;
      case spanTraceIdHigh:
        draft.traceIdHigh = this.#bytes.hex(8);
        return true;
      case spanId:
        draft.id = this.#bytes.hex(8);
        return true;
      case spanParentId:
        draft.parentId = this.#bytes.hex(8);
        return true;
      default:
        return false;
    }
  }

  #readSpanField(key: number, draft: Draft): void {
    const bytes = this.#bytes;
    switch (key) {
      case spanName:
        draft.name = bytes.knownText(bytes.int32());
        break;
      case spanTimestamp:
        draft.timestampUs = bytes.int64();
        break;
      case spanDuration:
        draft.durationUs = bytes.int64();
        break;
      case spanDebug:
        draft.debug = bytes.byte() === 1;
        break;
      case spanAnnotations:
        for (let left = this.#readPartCount('annotations', draft.annotations.length); left > 0; left--)
          this.#readAnnotation(draft.annotations);
        break;
      case spanBinaryAnnotations:
        for (let left = this.#readPartCount('tags', draft.binaryAnnotations.length); left > 0; left--)
          this.#readBinaryAnnotation(draft.binaryAnnotations);
        break;
      default:
        skipValue(bytes, key >> 16);
    }
  }

  #readAnnotation(annotations: V1Annotation[]): void {
    const bytes = this.#bytes;
    let timestampUs: Long = 0;
    let value: string | undefined;
    let endpoint: Endpoint | undefined;
    for (let type = bytes.byte(); type !== thriftStop; type = bytes.byte()) {
      const key = field(type, bytes.uint16());
      if (key === annotationTimestamp) timestampUs = bytes.int64();
      else if (key === annotationValue) value = bytes.knownText(bytes.int32());
      else if (key === annotationHost) endpoint = this.#readEndpoint(0);
      else skipValue(bytes, type);
    }
    // Zipkin drops what is incomplete here, and refuses it in JSON.
    if (timestampUs !== 0 && value !== undefined) annotations.push({ timestampUs, value, endpoint });
  }

  #readBinaryAnnotation(annotations: V1BinaryAnnotation[]): void {
    const bytes = this.#bytes;
    let key: string | undefined;
    let value: string | undefined;
    let isText = false;
    let isBoolean = false;
    let endpoint: Endpoint | undefined;
    for (let type = bytes.byte(); type !== thriftStop; type = bytes.byte()) {
      const name = field(type, bytes.uint16());
      if (name === binaryAnnotationKey) key = bytes.knownText(bytes.int32());
      else if (name === binaryAnnotationValue) value = bytes.text(bytes.int32());
      else if (name === binaryAnnotationType) {
        const valueType = bytes.int32();
        if (valueType === binaryAnnotationString) isText = true;
        else if (valueType === binaryAnnotationBool) isBoolean = true;
      } else if (name === binaryAnnotationHost) endpoint = this.#readEndpoint(0);
      else skipValue(bytes, type);
    }
    if (key === undefined || value === undefined) return;
    if (isText) annotations.push({ key, value, endpoint });
    else if (isBoolean && value === trueText && endpoint !== undefined && isAddressKey(key)) {
      annotations.push({ key, value: undefined, endpoint });
    }
  }
}

function readEndpoint(bytes: ByteReader): Endpoint | undefined {
  const raw: RawEndpoint = { serviceName: undefined, ipv4: undefined, ipv6: undefined, port: 0 };
  for (let type = bytes.byte(); type !== thriftStop; type = bytes.byte()) {
    switch (field(type, bytes.uint16())) {
      case endpointServiceName:
        raw.serviceName = bytes.knownText(bytes.int32());
        break;
      case endpointIpv4:
        if (bytes.int32() !== 0) addIpBytes(raw, bytes, 4);
        break;
      case endpointPort:
        raw.port = bytes.uint16();
        break;
      case endpointIpv6:
        addIpBytes(raw, bytes, bytes.skip(bytes.int32()));
        break;
      default:
        skipValue(bytes, type);
    }
  }
  return toEndpoint(raw);
}
