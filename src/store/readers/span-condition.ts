/** What a search asks of one span, and what that is in SQL over the table `spans`. */
import { type SpanKind, type SpanStatus, spanKinds, spanStatuses } from '../../model/span.ts';
import type { QueryParameter } from '../client.ts';
import { detailKeyValues, isUniqueKey, keyValues, searchedKeyValues } from '../schema/migrations.ts';
import { isCanonicalUuid, requestIdTag } from '../writers/spans.ts';

/** Whose attributes a span has: its own, its emitter's, and those of its scope, its events and its links. */
export type AttributeHolder = 'span' | 'resource' | 'detail';

export type SpanCondition =
  /** A name as it was spelled, or whatever its case. The local service is the one that sent the span. */
  | {
      readonly kind: 'localService' | 'remoteService' | 'name';
      readonly text: string;
      readonly isFolded: boolean;
    }
  /** Undefined asks for spans that have none. */
  | { readonly kind: 'spanKind'; readonly spanKind: SpanKind | undefined }
  /** Inclusive, in whole microseconds, the part below cut off; a span without a duration has 0. */
  | { readonly kind: 'duration'; readonly minUs: number; readonly maxUs: number | undefined }
  | { readonly kind: 'status'; readonly statuses: readonly SpanStatus[] }
  /** An attribute of one of the holders, compared as text (`attributeText`); without a value, its presence. */
  | {
      readonly kind: 'attribute';
      readonly key: string;
      readonly value: string | undefined;
      readonly of: readonly AttributeHolder[];
    }
  /** An event of this name; Zipkin calls it an annotation. */
  | { readonly kind: 'event'; readonly value: string }
  /** What came over OpenTelemetry's protocol. */
  | { readonly kind: 'hasDetails' }
  | { readonly kind: 'any' | 'all'; readonly of: readonly SpanCondition[] }
  | { readonly kind: 'not'; readonly of: SpanCondition };

/** Conditions that one span must meet together; none at all are met by every span. */
export type SpanPredicate = readonly SpanCondition[];

/** Takes a value and gives the placeholder to write in its place. */
export type Bind = (value: QueryParameter, type: string) => string;

/** Collects the parameters of a query, each value once: they travel in a URL. */
export function createBinder(): { readonly bind: Bind; readonly parameters: Readonly<Record<string, QueryParameter>> } {
  const parameters: Record<string, QueryParameter> = {};
  const placeholders = new Map<QueryParameter, string>();
  return {
    parameters,
    bind(value, type) {
      const known = placeholders.get(value);
      if (known !== undefined) return `{${known}:${type}}`;
      const name = `p${placeholders.size}`;
      parameters[name] = value;
      placeholders.set(value, name);
      return `{${name}:${type}}`;
    },
  };
}

/** Conditions that must all be met, as SQL. */
export const allOf = (parts: readonly string[]): string => (parts.length === 0 ? '1' : parts.join(' AND '));
/** Conditions of which one must be met, as SQL. */
export const anyOf = (parts: readonly string[]): string =>
  parts.length === 0 ? '0' : parts.length === 1 ? (parts[0] ?? '0') : `(${parts.join(' OR ')})`;

const columnOf = { localService: 'local_service', remoteService: 'remote_service', name: 'name' } as const;

/** A condition as SQL over the table `spans`. */
export function conditionSql(condition: SpanCondition, bind: Bind): string {
  switch (condition.kind) {
    case 'localService':
    case 'remoteService':
    case 'name': {
      const column = columnOf[condition.kind];
      const text = bind(condition.text, 'String');
      // Zipkin folds the letters of all scripts, and so do both sides here.
      return condition.isFolded ? `lowerUTF8(${column}) = lowerUTF8(${text})` : `${column} = ${text}`;
    }
    case 'spanKind':
      return `kind = ${condition.spanKind === undefined ? 0 : spanKinds.indexOf(condition.spanKind) + 1}`;
    case 'duration':
      return durationSql(condition, bind);
    case 'status':
      return anyOf([`status IN (${condition.statuses.map((status) => spanStatuses.indexOf(status)).join() || '255'})`]);
    case 'attribute':
      return attributeSql(condition, bind);
    case 'event':
      return `has(event_value, ${bind(condition.value, 'String')})`;
    case 'hasDetails':
      return `details != ''`;
    case 'any':
      return anyOf(condition.of.map((part) => `(${conditionSql(part, bind)})`));
    case 'all':
      return `(${allOf(condition.of.map((part) => conditionSql(part, bind)))})`;
    case 'not':
      return `NOT (${conditionSql(condition.of, bind)})`;
  }
}

function durationSql({ minUs, maxUs }: { minUs: number; maxUs: number | undefined }, bind: Bind): string {
  const least = `duration_us >= ${bind(BigInt(minUs), 'UInt64')}`;
  return maxUs === undefined ? least : `${least} AND duration_us <= ${bind(BigInt(maxUs), 'UInt64')}`;
}

interface Attribute {
  readonly key: string;
  readonly value: string | undefined;
}

function attributeSql({ key, value, of }: Attribute & { readonly of: readonly AttributeHolder[] }, bind: Bind): string {
  const beyond = of.filter((holder) => holder !== 'span');
  if (value === undefined || beyond.length < 2) {
    return anyOf(of.map((holder) => attributeOfSql({ key, value }, holder, bind)));
  }
  // What the index by_detail holds is just both together; a search spends a third of its time on the plan of these expressions.
  const own = beyond.length < of.length ? [spanAttributeSql({ key, value }, bind)] : [];
  return anyOf([...own, `has(${detailKeyValues}, ${bind(`${key}=${value}`, 'String')})`]);
}

function attributeOfSql({ key, value }: Attribute, holder: AttributeHolder, bind: Bind): string {
  if (holder === 'span') return spanAttributeSql({ key, value }, bind);
  if (value === undefined) {
    return holder === 'resource'
      ? `mapContains(resource, ${bind(key, 'String')})`
      : `arrayExists(tag -> startsWith(tag, ${bind(`${key}=`, 'String')}), detail_tags)`;
  }
  // The first condition is what the index by_detail answers; the second says in whose attributes.
  const pair = bind(`${key}=${value}`, 'String');
  const isIn = holder === 'resource' ? `has(${keyValues('resource')}, ${pair})` : `has(detail_tags, ${pair})`;
  return `(has(${detailKeyValues}, ${pair}) AND ${isIn})`;
}

/** Envoy's request id has a column of its own as long as it is spelled as UUIDs are. */
function spanAttributeSql({ key, value }: Attribute, bind: Bind): string {
  if (key === requestIdTag) {
    if (value === undefined)
      return `(request_id != toUUID('${'0'.repeat(8)}-0000-0000-0000-${'0'.repeat(12)}') OR mapContains(tags, '${requestIdTag}'))`;
    if (isCanonicalUuid(value)) return `request_id = toUUID(${bind(value, 'String')})`;
  }
  if (value === undefined) return `mapContains(tags, ${bind(key, 'String')})`;
  return `has(${searchedKeyValues('tags', key)}, ${bind(`${key}=${value}`, 'String')})`;
}

/** The rarity of what hardly any span has. */
export const hardlyAny = 7;

/** How rare spans are likely to be that meet a predicate, as a number to compare. What an index finds is rarer than what it does not. */
export const rarity = (predicate: SpanPredicate): number => Math.max(0, ...predicate.map(rarityOf));

function rarityOf(condition: SpanCondition): number {
  switch (condition.kind) {
    case 'attribute':
      if (condition.value === undefined) return 3;
      return isUniqueKey(condition.key) ? hardlyAny : 6;
    case 'any':
      return Math.min(...condition.of.map(rarityOf));
    case 'all':
      return rarity(condition.of);
    case 'event':
      return 4;
    case 'status':
      return condition.statuses.includes('unset') ? 0 : 3;
    case 'duration':
      return condition.minUs > 1_000_000 ? 3 : 2;
    case 'remoteService':
    case 'name':
      return 2;
    case 'localService':
      return 1;
    case 'spanKind':
    case 'hasDetails':
    case 'not':
      return 0;
  }
}
