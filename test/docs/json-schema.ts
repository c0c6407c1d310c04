/** As much of JSON Schema 2020-12 as the OpenAPI document uses. A keyword that is not known here is a failure, not a pass. */

type Schema = Readonly<Record<string, unknown>>;

const annotations = new Set(['description', 'format']);

const isRecord = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return Number.isInteger(value) ? 'integer' : typeof value;
}

/** Follows `#/a/b` from the document's root. */
export function resolveReference(document: unknown, reference: string): Schema {
  let at: unknown = document;
  for (const part of reference.slice(2).split('/')) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
    at = isRecord(at) ? at[name] : undefined;
  }
  if (!isRecord(at)) throw new Error(`${reference} leads nowhere`);
  return at;
}

/** What of `value` is against `schema`, each with its place. */
export function violations(document: unknown, schema: unknown, value: unknown, path = '$'): readonly string[] {
  if (!isRecord(schema)) return [`${path}: a schema is no object`];
  return Object.entries(schema).flatMap(([keyword, argument]) => {
    if (annotations.has(keyword)) return [];
    const check = keywords[keyword];
    if (check === undefined) return [`${path}: the keyword ${keyword} is not known to this test`];
    return check({ document, schema, argument, value, path });
  });
}

interface Check {
  readonly document: unknown;
  readonly schema: Schema;
  readonly argument: unknown;
  readonly value: unknown;
  readonly path: string;
}

const fails = (isFailure: boolean, path: string, what: string): readonly string[] =>
  isFailure ? [`${path} ${what}`] : [];

const keywords: Readonly<Record<string, (check: Check) => readonly string[]>> = {
  $ref: ({ document, argument, value, path }) =>
    violations(document, resolveReference(document, String(argument)), value, path),
  const: ({ argument, value, path }) => fails(argument !== value, path, `is not ${JSON.stringify(argument)}`),
  enum: ({ argument, value, path }) =>
    fails(!Array.isArray(argument) || !argument.includes(value), path, `is none of ${JSON.stringify(argument)}`),
  type({ argument, value, path }) {
    const wanted = Array.isArray(argument) ? argument : [argument];
    const actual = typeOf(value);
    const fits = wanted.includes(actual) || (actual === 'integer' && wanted.includes('number'));
    return fails(!fits, path, `is ${actual} and not ${wanted.join(' or ')}`);
  },
  minimum: ({ argument, value, path }) => fails(Number(value) < Number(argument), path, `is below ${argument}`),
  maximum: ({ argument, value, path }) => fails(Number(value) > Number(argument), path, `is above ${argument}`),
  oneOf({ document, argument, value, path }) {
    const fitting = Array.isArray(argument)
      ? argument.filter((each) => violations(document, each, value, path).length === 0)
      : [];
    return fails(fitting.length !== 1, path, `fits ${fitting.length} of the schemas it should fit one of`);
  },
  items: ({ document, argument, value, path }) =>
    Array.isArray(value) ? value.flatMap((item, i) => violations(document, argument, item, `${path}[${i}]`)) : [],
  required: ({ argument, value, path }) =>
    isRecord(value) && Array.isArray(argument)
      ? argument.flatMap((name) => fails(!(String(name) in value), path, `has no ${name}`))
      : [],
  properties: ({ document, argument, value, path }) =>
    isRecord(value) && isRecord(argument)
      ? Object.entries(argument).flatMap(([name, schema]) =>
          name in value ? violations(document, schema, value[name], `${path}.${name}`) : [],
        )
      : [],
  additionalProperties({ schema, argument, value, path }) {
    const { properties } = schema;
    if (argument !== false || !isRecord(value) || !isRecord(properties)) return [];
    return Object.keys(value).flatMap((name) => fails(!(name in properties), path, `has ${name} besides`));
  },
};
