/** Values as OpenTelemetry types them. Zipkin's tags are text only and need none of this. */

/** Text, truth, a 64-bit integer (always a bigint), a double (always a number), bytes, a list, a map; null is a value that was left empty. */
export type AttributeValue =
  | string
  | boolean
  | bigint
  | number
  | Uint8Array
  | null
  | readonly AttributeValue[]
  | AttributeMap;

/** A map within a value, in the sender's order, repeated keys included. */
export interface AttributeMap {
  readonly entries: readonly Attribute[];
}

export type Attribute = readonly [key: string, value: AttributeValue];

/** Tells a map from a list and from bytes, which TypeScript cannot. */
export function isAttributeMap(value: AttributeValue): value is AttributeMap {
  return typeof value === 'object' && value !== null && 'entries' in value && typeof value.entries !== 'function';
}

/**
 * A value as the text that searches compare with, which is how Jaeger and the OpenTelemetry collector write it: doubles in their shortest
 * spelling, bytes in base64, lists and maps as JSON with sorted keys.
 */
export function attributeText(value: AttributeValue): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return doubleText(value);
  if (typeof value === 'boolean' || typeof value === 'bigint') return String(value);
  if (value === null) return '';
  if (value instanceof Uint8Array) return base64(value);
  return jsonText(value);
}

function doubleText(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

function jsonText(value: AttributeValue): string {
  if (typeof value === 'string') return quote(value);
  if (typeof value === 'number') return Number.isFinite(value) ? doubleText(value) : `"${value}"`;
  if (typeof value === 'boolean' || typeof value === 'bigint') return String(value);
  if (value === null) return 'null';
  if (value instanceof Uint8Array) return `"${base64(value)}"`;
  if (!isAttributeMap(value)) return `[${value.map(jsonText).join(',')}]`;
  const last = new Map(value.entries);
  const keys = [...last.keys()].sort();
  return `{${keys.map((key) => `${quote(key)}:${jsonText(last.get(key) ?? null)}`).join(',')}}`;
}

/** The collector is written in Go, whose JSON escapes what HTML would take for markup. */
function quote(text: string): string {
  return JSON.stringify(text).replace(
    /[<>&\u2028\u2029]/g,
    (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/**
 * Attributes with their types: `typed` has those that are no text, as it is kept beside texts for searching. One whose text was changed since
 * is the text.
 */
export function typedAttributes(texts: Readonly<Record<string, string>>, typed: readonly Attribute[]): Attribute[] {
  if (typed.length === 0) return Object.entries(texts);
  const values = new Map(typed);
  return Object.entries(texts).map(([key, text]) => {
    const value = values.get(key);
    return [key, value !== undefined && attributeText(value) === text ? value : text];
  });
}
