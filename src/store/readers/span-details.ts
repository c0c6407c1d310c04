/** Reads the column `spans.details`; its format stands in `../writers/span-details.ts`. */
import type { Attribute, AttributeValue } from '../../model/attribute.ts';
import type {
  EntityReference,
  ResourceDetails,
  SpanDetails,
  SpanEventDetails,
  SpanLink,
  SpanScope,
} from '../../model/span-details.ts';
import { detailsVersion, valueTypes } from '../schema/span-details.ts';
import { type RowBinary, RowBinaryError, readRowBinary } from './row-binary.ts';

interface Head {
  readonly resource: ResourceDetails;
  readonly scope: SpanScope;
}

const readSigned = (row: RowBinary): number => {
  const number = row.varUint();
  return number % 2 === 0 ? number / 2 : -(number + 1) / 2;
};

function readValue(row: RowBinary): AttributeValue {
  const type = row.u8();
  switch (type) {
    case valueTypes.nothing:
      return null;
    case valueTypes.text:
      return row.string();
    case valueTypes.true:
      return true;
    case valueTypes.false:
      return false;
    case valueTypes.integer:
      return BigInt(readSigned(row));
    case valueTypes.longInteger:
      return row.i64();
    case valueTypes.double:
      return row.f64();
    case valueTypes.bytes:
      return new Uint8Array(row.bytes());
    case valueTypes.list:
      return row.array(() => readValue(row));
    case valueTypes.map:
      return { entries: readAttributes(row) };
    default:
      throw new RowBinaryError(`a stored span has a value of type ${type}, which this version does not know`);
  }
}

const readAttributes = (row: RowBinary): Attribute[] => row.array(() => [row.string(), readValue(row)]);

const readEntity = (row: RowBinary): EntityReference => ({
  schemaUrl: row.string(),
  type: row.string(),
  idKeys: row.array(row.string),
  descriptionKeys: row.array(row.string),
});

const readResource = (row: RowBinary): ResourceDetails => ({
  typedAttributes: readAttributes(row),
  droppedAttributes: row.varUint(),
  schemaUrl: row.string(),
  entities: row.array(() => readEntity(row)),
});

const readScope = (row: RowBinary): SpanScope => ({
  name: row.string(),
  version: row.string(),
  attributes: readAttributes(row),
  droppedAttributes: row.varUint(),
  schemaUrl: row.string(),
});

const readEvent = (row: RowBinary): SpanEventDetails => ({
  restNs: readSigned(row),
  attributes: readAttributes(row),
  droppedAttributes: row.varUint(),
});

const readLink = (row: RowBinary): SpanLink => ({
  traceId: row.string(),
  spanId: row.string(),
  traceState: row.string(),
  flags: row.varUint(),
  attributes: readAttributes(row),
  droppedAttributes: row.varUint(),
});

/** Makes a reader of the column's values; spans of one scope share what it says. */
export function createDetailsReader(): (row: RowBinary) => SpanDetails | undefined {
  const heads = new Map<string, Head>();
  const readHead = (bytes: Buffer): Head => {
    const key = bytes.toString('latin1');
    const known = heads.get(key);
    if (known !== undefined) return known;
    const row = readRowBinary(bytes);
    const head = { resource: readResource(row), scope: readScope(row) };
    heads.set(key, head);
    return head;
  };
  return (outer) => {
    const bytes = outer.bytes();
    if (bytes.length === 0) return undefined;
    const row = readRowBinary(bytes);
    const version = row.u8();
    if (version !== detailsVersion) {
      throw new RowBinaryError(`a stored span has details of version ${version}, which this version does not know`);
    }
    const { resource, scope } = readHead(row.bytes());
    return {
      resource,
      scope,
      startRestNs: readSigned(row),
      durationRestNs: readSigned(row),
      endNs: row.u8() === 0 ? undefined : row.u64(),
      traceState: row.string(),
      flags: row.varUint(),
      statusMessage: row.string(),
      typedAttributes: readAttributes(row),
      droppedAttributes: row.varUint(),
      events: row.array(() => readEvent(row)),
      droppedEvents: row.varUint(),
      links: row.array(() => readLink(row)),
      droppedLinks: row.varUint(),
    };
  };
}
