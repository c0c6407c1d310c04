/** Checks one table of values against its schema, and says what is wrong in words that fit below a file's line. */
import { readFile } from 'node:fs/promises';
import type { z } from 'zod';
import { didYouMean, nearest } from './did-you-mean.ts';
import { formatPath, type Problem } from './problem.ts';
import { child, isSecretPath, keysOf, type Path, shapeOf, unwrap } from './schema-walk.ts';
import { createSecret } from './secret.ts';
import { type Environment, isTable, type Table, type TomlDocument } from './toml-document.ts';

/** A value that came from the environment or the command line in place of the file. */
export interface Override {
  readonly source: 'environment' | '--set';
  /** What the user wrote: a variable's name or a key. */
  readonly label: string;
  readonly path: Path;
}

/** A table of values that is to be checked, and where it came from. */
export interface Subject<Output = unknown> {
  readonly schema: z.ZodType<Output>;
  /** How its header reads: `[[inputs.prom]]`; '' for the main file's top. */
  readonly header: string;
  /** Its place in the document. */
  readonly base: Path;
  readonly document: TomlDocument | undefined;
  readonly value: Table;
  readonly overrides: Override[];
  /** Further keys to consider for "did you mean". */
  readonly neighbours: readonly string[];
}

export interface Findings {
  readonly problems: Problem[];
  readonly warnings: Problem[];
}

interface Finding {
  readonly path: Path;
  readonly at: 'key' | 'value' | 'block';
  readonly message: string;
  readonly hint?: string;
}

const maxSecretBytes = 64 * 1024;

/** Places a finding: at the override that brought the value, or in the file. */
export function place(subject: Subject, finding: Finding): Problem {
  const override = overrideOf(subject, finding.path);
  const path = formatPath([...subject.base, ...finding.path]);
  if (override !== undefined || subject.document === undefined) {
    const file = override?.source ?? subject.overrides.at(-1)?.source ?? 'configuration';
    return { file, line: 0, column: 0, path, message: finding.message, hint: finding.hint ?? '', frame: '' };
  }
  return subject.document.problemAt({
    path: [...subject.base, ...(finding.at === 'block' ? finding.path.slice(0, -1) : finding.path)],
    at: finding.at === 'value' ? 'value' : 'key',
    message: finding.message,
    ...(finding.hint === undefined ? {} : { hint: finding.hint }),
    isValueShown: finding.at === 'value' && mayBeShown(subject, finding.path),
  });
}

/** Whether a value may stand in a code frame: no secret, nothing that may hold one, no address with credentials. */
function mayBeShown(subject: Subject, path: Path): boolean {
  const value = valueAt(subject.value, path);
  if (isTable(value) || Array.isArray(value) || isSecretPath(subject.schema, path)) return false;
  // Text in the place of a table may be one of the secrets that belong into it.
  const schema = schemaAt(subject.schema, path);
  const innermost = schema !== undefined && shapeOf(schema) === 'array' ? child(schema, 0) : schema;
  if (innermost === undefined || isSecretPath(innermost, []) || ['table', 'record'].includes(shapeOf(innermost)))
    return false;
  return typeof value !== 'string' || !/@|[?&;][\w.-]+=/.test(value);
}

function overrideOf(subject: Subject, path: Path): Override | undefined {
  return subject.overrides.findLast((override) => override.path.every((step, i) => step === path[i]));
}

/** `"interval" in [[inputs.prom]]`, or the variable's name when the value came from one. */
function nameOf(subject: Subject, path: Path): string {
  const override = overrideOf(subject, path);
  if (override !== undefined) return override.label;
  let split = path.length - 1;
  while (split > 0 && typeof path[split] === 'number') split--;
  if (path.length === 0) return subject.header === '' ? 'the file' : subject.header;
  const key = formatPath(path.slice(split));
  return `${key.startsWith('"') ? key : `"${key}"`}${inTable(subject, path.slice(0, split))}`;
}

/** ` in [inputs.prom.auth]`: the header of the table at `path`. */
function inTable(subject: Subject, path: Path): string {
  if (path.length === 0) return subject.header === '' ? '' : ` in ${subject.header}`;
  const names = [...subject.base, ...path].filter((step): step is string => typeof step === 'string');
  const header = formatPath(names);
  return typeof path.at(-1) === 'number' ? ` in [[${header}]]` : ` in [${header}]`;
}

function valueAt(value: unknown, path: Path): unknown {
  let at = value;
  for (const step of path) {
    if (Array.isArray(at) && typeof step === 'number') at = at[step];
    else if (isTable(at)) at = at[String(step)];
    else return undefined;
  }
  return at;
}

function schemaAt(schema: z.ZodType, path: Path): z.ZodType | undefined {
  let at: z.ZodType | undefined = schema;
  for (const step of path) at = at === undefined ? undefined : child(at, step);
  return at;
}

/** Takes out the keys that DataKit has and Trawl lacks: each costs a warning and nothing else. */
function takeOutDataKitKeys(subject: Subject, findings: Findings): void {
  for (const [dotted, reason] of Object.entries(unwrap(subject.schema).notes.dataKitOnly ?? {})) {
    const path = dotted.split('.');
    const parent = valueAt(subject.value, path.slice(0, -1));
    const key = path.at(-1) ?? '';
    if (!isTable(parent) || !(key in parent)) continue;
    const why = reason === '' ? '' : `: ${reason}`;
    const what = `${nameOf(subject, path)} is a key of DataKit's that Trawl does not have${why}`;
    findings.warnings.push(place(subject, { path, at: 'key', message: what }));
    delete parent[key];
  }
}

interface SecretSource {
  readonly text?: string;
  readonly message?: string;
}

async function readSecretFile(file: string): Promise<SecretSource> {
  try {
    const bytes = await readFile(file);
    if (bytes.length > maxSecretBytes)
      return { message: `names a file of ${bytes.length} bytes: too large for a secret` };
    const text = bytes.toString('utf8').replace(/\r?\n$/, '');
    return text === '' ? { message: `names a file that is empty: ${file}` } : { text };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    return { message: `names a file that cannot be read (${code}): ${file}` };
  }
}

async function openSecret(value: Table, env: Environment): Promise<SecretSource> {
  const { file, env: variable } = value;
  if (Object.keys(value).length !== 1) return { message: 'must be text, { file = "…" } or { env = "…" }' };
  if (typeof file === 'string') return await readSecretFile(file);
  if (typeof variable !== 'string') return { message: 'must be text, { file = "…" } or { env = "…" }' };
  const text = env[variable];
  return text === undefined || text === ''
    ? { message: `names an environment variable that is not set: ${variable}` }
    : { text };
}

/** Replaces `{ file = "…" }`, `{ env = "…" }` and DataKit's `ENC[file://…]` by the secret itself, wherever the schema has one. */
async function resolveSecrets(subject: Subject, env: Environment, findings: Findings): Promise<void> {
  const visit = async (schema: z.ZodType, container: Table | unknown[], path: Path): Promise<void> => {
    for (const [name, value] of Object.entries(container)) {
      const step = Array.isArray(container) ? Number(name) : name;
      const below = child(schema, step);
      if (below === undefined) continue;
      const isLeaf = shapeOf(below) === 'text' && unwrap(below).notes.secret === true;
      if (!isLeaf && (isTable(value) || Array.isArray(value))) {
        await visit(below, value, [...path, step]);
        continue;
      }
      if (!isLeaf) continue;
      const encoded = typeof value === 'string' ? /^ENC\[file:\/\/(.+)\]$/.exec(value)?.[1] : undefined;
      if (!isTable(value) && encoded === undefined) continue;
      const source =
        encoded === undefined && isTable(value) ? await openSecret(value, env) : await readSecretFile(encoded ?? '');
      if (source.message !== undefined) {
        const at = [...path, step];
        findings.problems.push(
          place(subject, { path: at, at: 'value', message: `${nameOf(subject, at)} ${source.message}` }),
        );
      }
      Reflect.set(container, name, createSecret(source.text ?? ''));
    }
  };
  await visit(subject.schema, subject.value, []);
}

const kindsOfValue = (value: unknown): string => {
  if (Array.isArray(value)) return 'an array';
  if (value instanceof Date) return 'a date';
  const words: Readonly<Record<string, string>> = { string: 'text', number: 'a number', boolean: 'true or false' };
  return words[typeof value] ?? 'a table';
};

const wordsForTypes: Readonly<Record<string, string>> = {
  string: 'text in quotes',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'an array, e.g. ["a", "b"]',
  object: 'a table',
  record: 'a table',
};

const listOf = (values: readonly unknown[]): string => {
  const words = values.map((value) => JSON.stringify(value));
  const last = words.pop() ?? '';
  return words.length === 0 ? last : `${words.join(', ')} or ${last}`;
};

/** What zod found, as the end of a sentence that begins with the key's name. Schemas bring their own ends for what is particular to them. */
function predicate(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input !== undefined && typeof issue.input === 'number' && issue.expected === 'int'
        ? 'must be a whole number'
        : `must be ${wordsForTypes[issue.expected] ?? issue.expected}, not ${kindsOfValue(issue.input)}`;
    case 'invalid_value':
      return `must be ${listOf(issue.values)}`;
    case 'too_small':
      return issue.origin === 'string' || issue.origin === 'array'
        ? 'must not be empty'
        : `must be at least ${issue.minimum}`;
    case 'too_big':
      return issue.origin === 'string' || issue.origin === 'array' ? 'is too long' : `must be at most ${issue.maximum}`;
    case 'invalid_format':
      return 'does not have the right form';
    case 'invalid_key':
      return issue.issues[0]?.message ?? 'is not a name that can stand here';
    default:
      return undefined;
  }
}

/** Keys that a person may have meant at `path`. */
function candidatesAt(subject: Subject, path: Path): string[] {
  const schema = schemaAt(subject.schema, path);
  const keys = schema === undefined ? undefined : keysOf(schema);
  return [...(keys?.keys() ?? []), ...(path.length === 0 ? subject.neighbours : [])];
}

const pathOf = (path: readonly PropertyKey[]): Path =>
  path.map((step) => (typeof step === 'number' ? step : String(step)));

function findingsOf(subject: Subject, issue: z.core.$ZodIssue): Finding[] {
  const path = pathOf(issue.path);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const override = overrideOf(subject, [...path, key]);
      const message =
        override === undefined ? `unknown key "${key}"${inTable(subject, path)}` : `unknown key "${override.label}"`;
      return { path: [...path, key], at: 'key', message, hint: didYouMean(key, candidatesAt(subject, path)) };
    });
  }
  const value = valueAt(subject.value, path);
  if (value === undefined && issue.code !== 'custom' && path.length > 0) {
    const message = `missing key "${String(path.at(-1))}"${inTable(subject, path.slice(0, -1))}`;
    return [{ path, at: 'block', message, hint: exampleOf(subject, path) }];
  }
  const at = issue.code === 'invalid_key' ? 'key' : 'value';
  let hint = '';
  if (issue.code === 'invalid_value' && typeof value === 'string') {
    const near = nearest(value, issue.values.map(String));
    if (near !== undefined && !isSecretPath(subject.schema, path)) hint = `did you mean "${near}"?`;
  }
  return [{ path, at, message: `${nameOf(subject, path)} ${issue.message}`, hint }];
}

function exampleOf(subject: Subject, path: Path): string {
  const schema = schemaAt(subject.schema, path);
  const example = schema === undefined ? undefined : unwrap(schema).notes.example;
  return typeof example === 'string' ? `e.g. ${String(path.at(-1))} = ${JSON.stringify(example)}` : '';
}

function warnOfUse(subject: Subject, findings: Findings): void {
  for (const dotted of unwrap(subject.schema).notes.laterKeys ?? []) {
    const path = dotted.split('.');
    if (valueAt(subject.value, path) === undefined) continue;
    const message = `${nameOf(subject, path)} is not supported yet and has no effect`;
    findings.warnings.push(place(subject, { path, at: 'key', message }));
  }
  for (const [key, schema] of keysOf(subject.schema) ?? []) {
    const value = subject.value[key];
    const caution = value === undefined ? undefined : unwrap(schema).notes.caution?.(value);
    if (caution === undefined) continue;
    findings.warnings.push(
      place(subject, { path: [key], at: 'value', message: `${nameOf(subject, [key])}: ${caution}` }),
    );
  }
}

/** The checked value of a subject, or undefined when there were problems; those and the warnings go to `findings`. */
export async function validate<Output>(
  subject: Subject<Output>,
  env: Environment,
  findings: Findings,
): Promise<Output | undefined> {
  takeOutDataKitKeys(subject, findings);
  warnOfUse(subject, findings);
  const before = findings.problems.length;
  await resolveSecrets(subject, env, findings);
  const value = check(subject, findings, findings.problems);
  return findings.problems.length > before ? undefined : value;
}

/** The same for a stranger's text: no file and no variable is read for it, and keys that nobody knows are warnings. */
export function validateStranger<Output>(subject: Subject<Output>, findings: Findings): Output | undefined {
  takeOutDataKitKeys(subject, findings);
  warnOfUse(subject, findings);
  const before = findings.problems.length;
  const value = check(subject, findings, findings.warnings);
  return findings.problems.length > before ? undefined : value;
}

function check<Output>(subject: Subject<Output>, findings: Findings, unknownKeys: Problem[]): Output | undefined {
  const parse = () => subject.schema.safeParse(subject.value, { error: predicate });
  let result = parse();
  // A second look without the unknown keys, for zod leaves out a schema's own refinements while there are any.
  const unknown = result.error?.issues.filter((issue) => issue.code === 'unrecognized_keys') ?? [];
  for (const issue of unknown) {
    for (const finding of findingsOf(subject, issue)) unknownKeys.push(place(subject, finding));
    const table = valueAt(subject.value, pathOf(issue.path));
    if (isTable(table)) for (const key of issue.keys) delete table[key];
  }
  if (unknown.length > 0) result = parse();
  for (const issue of result.error?.issues ?? []) {
    for (const finding of findingsOf(subject, issue)) findings.problems.push(place(subject, finding));
  }
  return result.data;
}
