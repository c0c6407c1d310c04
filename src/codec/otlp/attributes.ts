/** OTLP's attributes as the model has them, and back. */
import { type Attribute, type AttributeValue, attributeText, isAttributeMap } from '../../model/attribute.ts';
import type { AnyValue, KeyValue } from './otlp.generated.ts';

export const noAttributes: readonly Attribute[] = Object.freeze([]);

/** Text of every attribute, and the values of those that are no text. */
export interface SearchableAttributes {
  readonly texts: Readonly<Record<string, string>>;
  readonly typed: readonly Attribute[];
}

/** A value as the model has it. */
export function toValue(value: AnyValue | undefined): AttributeValue {
  if (value === undefined) return null;
  switch (value.case) {
    case 'none':
      return null;
    case 'arrayValue':
      return value.value.values.map(toValue);
    case 'kvlistValue':
      return { entries: value.value.values.map(toAttribute) };
    default:
      return value.value;
  }
}

const toAttribute = ({ key, value }: KeyValue): Attribute => [key, toValue(value)];

export function toAttributes(list: readonly KeyValue[]): readonly Attribute[] {
  return list.length === 0 ? noAttributes : list.map(toAttribute);
}

/** Splits attributes for searching. A repeated key has its last value. Hot: bench/codec.ts. */
export function toSearchable(list: readonly KeyValue[]): SearchableAttributes {
  const texts: Record<string, string> = {};
  let typed: Attribute[] | undefined;
  for (const { key, value } of list) {
    let text: string;
    if (value?.case === 'stringValue') text = value.value;
    else {
      const attribute: Attribute = [key, toValue(value)];
      text = attributeText(attribute[1]);
      typed ??= [];
      typed.push(attribute);
    }
    // A plain assignment would set the prototype.
    if (key === '__proto__') Object.defineProperty(texts, key, { ...ownProperty, value: text });
    else texts[key] = text;
  }
  return { texts, typed: typed ?? noAttributes };
}

const ownProperty = { enumerable: true, configurable: true, writable: true } as const;

function fromValue(value: AttributeValue): AnyValue {
  if (typeof value === 'string') return { case: 'stringValue', value };
  if (typeof value === 'boolean') return { case: 'boolValue', value };
  if (typeof value === 'bigint') return { case: 'intValue', value };
  if (typeof value === 'number') return { case: 'doubleValue', value };
  if (value === null) return { case: 'none', value: undefined };
  if (value instanceof Uint8Array) return { case: 'bytesValue', value };
  if (isAttributeMap(value)) return { case: 'kvlistValue', value: { values: fromAttributes(value.entries) } };
  return { case: 'arrayValue', value: { values: value.map(fromValue) } };
}

export function fromAttributes(attributes: readonly Attribute[]): KeyValue[] {
  return attributes.map(([key, value]) => ({ key, value: fromValue(value) }));
}
