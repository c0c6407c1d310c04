/** Values of Jaeger's JSON; each reader throws a CodecError that begins with the value's place. */
import { CodecError } from '../codec-error.ts';
import type { AnyValue, KeyValue } from '../otlp/otlp.generated.ts';

export type JsonRecord = Readonly<Record<string, unknown>>;

const shownLength = 64;
const lastNs = 2n ** 63n - 1n;

/** A value as an error may show it. */
function shown(json: unknown): string {
  if (json === undefined) return 'nothing';
  return (JSON.stringify(json) ?? String(json)).slice(0, shownLength);
}

function isRecord(json: unknown): json is JsonRecord {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}

export function asRecord(json: unknown, path: string): JsonRecord {
  if (!isRecord(json)) throw new CodecError(`${path}: an object is needed, but it is ${shown(json)}`);
  return json;
}

export function asList(json: unknown, path: string): readonly unknown[] {
  if (!Array.isArray(json)) throw new CodecError(`${path}: a list is needed, but it is ${shown(json)}`);
  return json;
}

/** A text; nothing and null are ''. */
export function readText(json: unknown, path: string): string {
  if (json === undefined || json === null) return '';
  if (typeof json !== 'string') throw new CodecError(`${path}: a text is needed, but it is ${shown(json)}`);
  return json;
}

/** A hex id of up to `digits` digits, in lower case and filled up with zeros. */
export function readId(json: unknown, digits: number, path: string): string {
  if (typeof json !== 'string' || json.length > digits || !/^[0-9a-f]+$/i.test(json))
    throw new CodecError(`${path}: an id of 1 to ${digits} hex digits is needed, but it is ${shown(json)}`);
  return json.toLowerCase().padStart(digits, '0');
}

/** Microseconds as nanoseconds. Whole numbers may be texts, which is how `parseJson` gives long ones. */
export function readMicrosAsNs(json: unknown, path: string): bigint {
  const isWhole = typeof json === 'string' ? /^[0-9]+$/.test(json) : Number.isSafeInteger(json);
  const ns =
    typeof json === 'number' && !isWhole && Number.isFinite(json)
      ? BigInt(Math.round(json * 1000))
      : isWhole && (typeof json === 'string' || typeof json === 'number')
        ? BigInt(json) * 1000n
        : -1n;
  if (ns < 0n || ns > lastNs) throw new CodecError(`${path}: microseconds are needed, but it is ${shown(json)}`);
  return ns;
}

export const textValue = (key: string, value: string): KeyValue => ({ key, value: { case: 'stringValue', value } });

/** A list of `{key, type, value}`; nothing and null are the empty list. */
export function readKeyValues(json: unknown, path: string): KeyValue[] {
  if (json === undefined || json === null) return [];
  return asList(json, path).map((item, i) => {
    const record = asRecord(item, `${path}[${i}]`);
    return { key: readText(record['key'], `${path}[${i}].key`), value: readValue(record, `${path}[${i}]`) };
  });
}

/** Jaeger's own numbers are as long as 64 bits, then written as texts. */
function readValue(record: JsonRecord, path: string): AnyValue {
  const { value } = record;
  const type = readText(record['type'], `${path}.type`).toLowerCase() || typeOf(value);
  const wrong = () => new CodecError(`${path}.value: a value of type ${type} is needed, but it is ${shown(value)}`);
  switch (type) {
    case 'bool': {
      const text = String(value).toLowerCase();
      if (text !== 'true' && text !== 'false') throw wrong();
      return { case: 'boolValue', value: text === 'true' };
    }
    case 'int64': {
      if (!/^-?[0-9]{1,19}$/.test(String(value)) || typeof value === 'object') throw wrong();
      const int = BigInt(String(value));
      if (BigInt.asIntN(64, int) !== int) throw wrong();
      return { case: 'intValue', value: int };
    }
    case 'float64': {
      const double = readDouble(value);
      if (double === undefined) throw wrong();
      return { case: 'doubleValue', value: double };
    }
    case 'binary':
      if (typeof value !== 'string' || !/^[A-Za-z0-9+/]*={0,2}$/.test(value)) throw wrong();
      return { case: 'bytesValue', value: new Uint8Array(Buffer.from(value, 'base64')) };
    default:
      return {
        case: 'stringValue',
        value: typeof value === 'string' ? value : value == null ? '' : JSON.stringify(value),
      };
  }
}

function typeOf(value: unknown): string {
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int64' : 'float64';
  return 'string';
}

const spelledDoubles: Readonly<Record<string, number>> = {
  nan: Number.NaN,
  infinity: Number.POSITIVE_INFINITY,
  '+inf': Number.POSITIVE_INFINITY,
  inf: Number.POSITIVE_INFINITY,
  '-infinity': Number.NEGATIVE_INFINITY,
  '-inf': Number.NEGATIVE_INFINITY,
};

function readDouble(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value !== 'string') return undefined;
  const key = value.toLowerCase();
  if (Object.hasOwn(spelledDoubles, key)) return spelledDoubles[key];
  return /^-?[0-9.]+(e[+-]?[0-9]+)?$/.test(key) && Number.isFinite(Number(key)) ? Number(key) : undefined;
}
