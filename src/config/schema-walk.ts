/** Reads a zod schema from outside: the keys of a table, the notes on a key, what kind of value it takes. */
import { z } from 'zod';
import type { BlockNotes, KeyNotes } from './fields.ts';

export type Path = readonly (string | number)[];

/** What a key takes, as far as text from the environment, samples and the reference need to know. */
export type Shape = 'table' | 'record' | 'array' | 'boolean' | 'number' | 'text';

/** A key's schema without its wrappers, and everything that was said about it on the way. */
export interface Unwrapped {
  readonly schema: z.ZodType;
  readonly notes: KeyNotes & BlockNotes & { readonly description?: string | undefined };
  readonly isRequired: boolean;
  /** As written in TOML; undefined when there is none. */
  readonly defaultValue: unknown;
}

const maxWrappers = 20;
/** Schemas do not change, and annotations of pods are checked by the thousand. */
const unwrapped = new WeakMap<z.ZodType, Unwrapped>();
const keysBySchema = new WeakMap<z.ZodType, ReadonlyMap<string, z.ZodType>>();

/** Takes off optional, default, prefault and pipes; outer notes go before inner ones. */
export function unwrap(schema: z.ZodType): Unwrapped {
  let found = unwrapped.get(schema);
  if (found === undefined) {
    found = takeOffWrappers(schema);
    unwrapped.set(schema, found);
  }
  return found;
}

function takeOffWrappers(outer: z.ZodType): Unwrapped {
  let schema = outer;
  let notes: Unwrapped['notes'] = {};
  let isRequired = true;
  let defaultValue: unknown;
  for (let depth = 0; depth < maxWrappers; depth++) {
    notes = { ...schema.meta(), ...notes };
    let next: unknown;
    if (schema instanceof z.ZodOptional) {
      isRequired = false;
      next = schema.unwrap();
    } else if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) {
      isRequired = false;
      defaultValue ??= schema.def.defaultValue;
      next = schema.unwrap();
    } else if (schema instanceof z.ZodPipe) {
      next = schema.in;
    }
    if (!(next instanceof z.ZodType)) break;
    schema = next;
  }
  return { schema, notes, isRequired, defaultValue };
}

/** The keys of a table's schema, or undefined when it is not a table with fixed keys. */
export function keysOf(schema: z.ZodType): ReadonlyMap<string, z.ZodType> | undefined {
  const inner = unwrap(schema).schema;
  if (!(inner instanceof z.ZodObject)) return undefined;
  const known = keysBySchema.get(inner);
  if (known !== undefined) return known;
  const keys = new Map<string, z.ZodType>();
  for (const [key, value] of Object.entries(inner.shape)) if (value instanceof z.ZodType) keys.set(key, value);
  keysBySchema.set(inner, keys);
  return keys;
}

/** The schema one step below: a key of a table or record, an element of an array. */
export function child(schema: z.ZodType, step: string | number): z.ZodType | undefined {
  const inner = unwrap(schema).schema;
  if (inner instanceof z.ZodObject) return keysOf(inner)?.get(String(step));
  if (inner instanceof z.ZodRecord) return inner.valueType instanceof z.ZodType ? inner.valueType : undefined;
  if (inner instanceof z.ZodArray) return inner.element instanceof z.ZodType ? inner.element : undefined;
  return undefined;
}

/** Whether a value at `path`, or a table around it, is secret. */
export function isSecretPath(schema: z.ZodType, path: Path): boolean {
  let at: z.ZodType | undefined = schema;
  for (const step of path) {
    if (at === undefined) return false;
    if (unwrap(at).notes.secret === true) return true;
    at = child(at, step);
  }
  return at !== undefined && unwrap(at).notes.secret === true;
}

/** What kind of value a key takes. */
export function shapeOf(schema: z.ZodType): Shape {
  const inner = unwrap(schema).schema;
  if (inner instanceof z.ZodObject) return 'table';
  if (inner instanceof z.ZodRecord) return 'record';
  if (inner instanceof z.ZodArray) return 'array';
  if (inner instanceof z.ZodBoolean) return 'boolean';
  if (inner instanceof z.ZodNumber) return 'number';
  return 'text';
}

/** How the reference names what a key takes, e.g. `"gzip" or "none"`. */
export function typeNameOf(schema: z.ZodType): string {
  const { schema: inner, notes } = unwrap(schema);
  if (notes.typeName !== undefined) return notes.typeName;
  if (inner instanceof z.ZodEnum) return inner.options.map((option) => JSON.stringify(option)).join(' or ');
  if (inner instanceof z.ZodArray && inner.element instanceof z.ZodType) return `array of ${typeNameOf(inner.element)}`;
  if (inner instanceof z.ZodRecord) return 'table';
  return { table: 'table', record: 'table', array: 'array', boolean: 'boolean', number: 'number', text: 'text' }[
    shapeOf(inner)
  ];
}
