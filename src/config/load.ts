/** Reads a whole configuration: files, environment, `--set`. Either all of it is right, or every problem of every file is told at once. */
import { hostname, networkInterfaces } from 'node:os';
import { basename } from 'node:path';
import type { z } from 'zod';
import { didYouMean, editDistance, nearest } from './did-you-mean.ts';
import { type FoundFiles, mainFileName, readFiles } from './files.ts';
import { knownDataKitInputs } from './known-datakit-inputs.ts';
import { type MainConfig, mainConfig } from './main-config.ts';
import {
  dataKitSettings,
  dataKitVariablesWithoutCounterpart,
  type HostNames,
  parseSet,
  setAt,
  snakeUpper,
  type TextSetting,
  trawlVariableNames,
  trawlVariables,
  valueFromText,
} from './overrides.ts';
import { formatPath, type Problem } from './problem.ts';
import { child, keysOf, type Path, shapeOf, unwrap } from './schema-walk.ts';
import { type Environment, isTable, parseToml, type Table, type TomlDocument } from './toml-document.ts';
import { type Findings, place, type Subject, validate } from './validate.ts';

/** What the loader needs of an input's or output's kind. */
export interface ComponentKind {
  readonly type: string;
  readonly summary: string;
  readonly config: z.ZodType;
}

export type Section = 'inputs' | 'outputs';

/** One `[[inputs.NAME]]` or `[[outputs.NAME]]`, checked. */
export interface ComponentBlock<Kind> {
  readonly kind: Kind;
  /** `inputs.prom`, or `inputs.prom#2` for the third block of its kind. */
  readonly name: string;
  /** What the kind's schema made of it. */
  readonly config: unknown;
  /** Where it stands, e.g. `conf.d/prom.conf:3`. */
  readonly source: string;
}

export interface Configuration<InputKind, OutputKind> {
  readonly main: MainConfig;
  readonly inputs: readonly ComponentBlock<InputKind>[];
  readonly outputs: readonly ComponentBlock<OutputKind>[];
}

export interface LoadOptions<InputKind, OutputKind> {
  readonly directory?: string;
  readonly files?: readonly string[];
  readonly kinds: { readonly inputs: readonly InputKind[]; readonly outputs: readonly OutputKind[] };
  readonly env: Environment;
  /** `KEY=VALUE` each. */
  readonly sets: readonly string[];
  /** `TRAWL_*` variables that are somebody else's, so that they are not taken for misspelt settings. */
  readonly otherVariables?: readonly string[];
  readonly host?: HostNames;
}

export type Loaded<InputKind, OutputKind> = {
  readonly warnings: readonly Problem[];
  /** The files that were read. */
  readonly files: readonly string[];
} & (
  | { readonly ok: true; readonly configuration: Configuration<InputKind, OutputKind> }
  | { readonly ok: false; readonly problems: readonly Problem[] }
);

/** A block on its way to being checked. */
interface Draft<Kind> {
  readonly kind: Kind;
  readonly subject: Subject;
}

const plain = (file: string, message: string, hint = ''): Problem => ({
  file,
  line: 0,
  column: 0,
  path: '',
  message,
  hint,
  frame: '',
});

const emptyTable = (): Table => Object.create(null);

const namesOf = (kind: ComponentKind): readonly string[] => [kind.type, ...(unwrap(kind.config).notes.aliases ?? [])];

function findKind<Kind extends ComponentKind>(kinds: readonly Kind[], name: string): Kind | undefined {
  return kinds.find((kind) => namesOf(kind).includes(name));
}

function hostNames(env: Environment): HostNames {
  const addresses = Object.values(networkInterfaces()).flatMap((entries) => entries ?? []);
  const ip = addresses.find((entry) => entry.family === 'IPv4' && !entry.internal)?.address ?? '127.0.0.1';
  return { hostname: env['ENV_HOSTNAME'] || hostname(), ip };
}

/** A name that no kind has: a warning when it may well be an input of DataKit's, an error when it looks like a slip of the pen. */
function reportUnknownKind(
  options: { document: TomlDocument; section: Section; name: string; kinds: readonly ComponentKind[] },
  findings: Findings,
): void {
  const { document, section, name, kinds } = options;
  const types = kinds.flatMap(namesOf);
  const near = nearest(name, types);
  const isTypo = near !== undefined && editDistance(name, near) <= 2 && !knownDataKitInputs.has(name);
  const path = [section, name];
  if (section === 'inputs' && !isTypo) {
    const message = `Trawl has no input "${name}"; this block does nothing`;
    findings.warnings.push(
      document.problemAt({ path, at: 'key', message, hint: `the inputs are ${types.join(', ')}` }),
    );
    return;
  }
  const hint = near === undefined ? `the ${section} are ${types.join(', ')}` : `did you mean "${near}"?`;
  findings.problems.push(
    document.problemAt({ path, at: 'key', message: `there is no ${section.slice(0, -1)} "${name}"`, hint }),
  );
}

function draftBlocks<Kind extends ComponentKind>(
  document: TomlDocument,
  section: Section,
  kinds: readonly Kind[],
  findings: Findings,
): Draft<Kind>[] {
  const tables = document.root[section];
  if (tables === undefined) return [];
  if (!isTable(tables)) {
    findings.problems.push(
      document.problemAt({
        path: [section],
        at: 'key',
        message: `"${section}" must hold blocks`,
        hint: `write [[${section}.NAME]]`,
      }),
    );
    return [];
  }
  const drafts: Draft<Kind>[] = [];
  for (const [name, value] of Object.entries(tables)) {
    const kind = findKind(kinds, name);
    if (kind === undefined) {
      reportUnknownKind({ document, section, name, kinds }, findings);
      continue;
    }
    const blocks: readonly unknown[] = Array.isArray(value) ? value : [value];
    blocks.forEach((block, index) => {
      const base: Path = Array.isArray(value) ? [section, name, index] : [section, name];
      const header = Array.isArray(value) ? `[[${section}.${name}]]` : `[${section}.${name}]`;
      if (isTable(block)) {
        drafts.push({
          kind,
          subject: { schema: kind.config, header, base, document, value: block, overrides: [], neighbours: [] },
        });
      } else {
        const message = `"${section}.${name}" must be a block of keys`;
        findings.problems.push(
          document.problemAt({
            path: base,
            at: 'key',
            message,
            hint: `write [[${section}.${name}]] and the keys below it`,
          }),
        );
      }
    });
  }
  return drafts;
}

/** Names of DataKit's for sections of the main file. */
const dataKitSections: Readonly<Record<string, string>> = {
  http_api: 'http',
  logging: 'log',
  global_host_tags: 'global_tags',
};

function checkTopLevel(document: TomlDocument, findings: Findings): void {
  for (const key of Object.keys(document.root)) {
    if (key === 'inputs' || key === 'outputs') continue;
    const isMainKey = keysOf(mainConfig)?.has(key) === true;
    const message = isMainKey ? `"${key}" belongs in ${mainFileName}` : `unknown key "${key}"`;
    const meant = didYouMean(key, ['inputs', 'outputs']);
    const hint = isMainKey ? 'only blocks of inputs and outputs stand in other files' : meant;
    findings.problems.push(document.problemAt({ path: [key], at: 'key', message, hint }));
  }
}

function mainSubject(document: TomlDocument | undefined, findings: Findings): Subject<MainConfig> {
  const value = emptyTable();
  for (const [key, below] of Object.entries(document?.root ?? {})) {
    if (key === 'inputs' || key === 'outputs') continue;
    const counterpart = dataKitSections[key];
    if (counterpart === undefined || document === undefined) value[key] = below;
    else {
      const message = `[${key}] is DataKit's name`;
      findings.problems.push(
        document.problemAt({ path: [key], at: 'key', message, hint: `here it is [${counterpart}]` }),
      );
    }
  }
  return {
    schema: mainConfig,
    header: '',
    base: [],
    document,
    value,
    overrides: [],
    neighbours: ['inputs', 'outputs'],
  };
}

/** The whole key, as it is to be written after `--set`, with the wrong step in it put right; as far as what follows is there, too. */
function meantKey(
  setting: TextSetting,
  path: Path,
  { at, near, schema }: { readonly at: number; readonly near: string; readonly schema: z.ZodType },
): string {
  if (setting.source !== '--set') return near;
  const before = setting.path.slice(0, setting.path.length - path.length + at);
  const meant: (string | number)[] = [...before, near];
  let below = child(schema, near);
  for (const step of path.slice(at + 1)) {
    below = below === undefined ? undefined : child(below, step);
    if (below === undefined) break;
    meant.push(step);
  }
  return formatPath(meant);
}

/** Puts one setting from outside into a subject; says why if the key is none that takes a value. */
function applySetting(subject: Subject, setting: TextSetting, path: Path, findings: Findings): void {
  let schema: z.ZodType = subject.schema;
  for (const [i, step] of path.entries()) {
    const below = child(schema, step);
    const isIndexMissing = shapeOf(schema) === 'array' && typeof step !== 'number';
    if (below === undefined || isIndexMissing) {
      const near = nearest(String(step), [...(keysOf(schema)?.keys() ?? []), ...(i === 0 ? subject.neighbours : [])]);
      const hint = near === undefined ? '' : `did you mean "${meantKey(setting, path, { at: i, near, schema })}"?`;
      findings.problems.push({ ...plain(setting.source, `unknown key "${setting.label}"`, hint), path: setting.label });
      return;
    }
    schema = below;
  }
  if (shapeOf(schema) === 'table') {
    const keys = [...(keysOf(schema)?.keys() ?? [])].join(', ');
    const message = `"${setting.label}" is a table, not a value`;
    findings.problems.push({ ...plain(setting.source, message, `set one of its keys: ${keys}`), path: setting.label });
    return;
  }
  setAt(subject.value, path, valueFromText(schema, setting.text));
  subject.overrides.push({ source: setting.source, label: setting.label, path });
}

function applyBlockSet<Kind extends ComponentKind>(
  drafts: Draft<Kind>[],
  kinds: readonly Kind[],
  setting: TextSetting,
  findings: Findings,
): void {
  const [section, name, ...rest] = setting.path;
  const kind = findKind(kinds, String(name));
  if (kind === undefined) {
    const types = kinds.flatMap(namesOf);
    const meant = didYouMean(String(name), types);
    const message = `there is no ${String(section).slice(0, -1)} "${String(name)}"`;
    findings.problems.push({
      ...plain('--set', message, meant === '' ? `there are ${types.join(', ')}` : meant),
      path: setting.label,
    });
    return;
  }
  const [first, ...others] = rest;
  const index = typeof first === 'number' ? first : undefined;
  const path = index === undefined ? rest : others;
  if (path.length === 0) {
    findings.problems.push({
      ...plain('--set', `"${setting.label}" is a block, not a key`, `e.g. ${setting.label}.KEY=VALUE`),
      path: setting.label,
    });
    return;
  }
  const own = drafts.filter((draft) => draft.kind === kind);
  if (own.length === 0 && (index === undefined || index === 0)) {
    const base = [String(section), kind.type];
    const subject: Subject = {
      schema: kind.config,
      header: `[[${base.join('.')}]]`,
      base,
      document: undefined,
      value: emptyTable(),
      overrides: [],
      neighbours: [],
    };
    const draft = { kind, subject };
    drafts.push(draft);
    own.push(draft);
  }
  const chosen = index === undefined ? own : own.slice(index, index + 1);
  if (chosen.length === 0) {
    findings.problems.push({
      ...plain('--set', `"${setting.label}" names a block that is not there: there are ${own.length}, counted from 0`),
      path: setting.label,
    });
  }
  for (const draft of chosen) applySetting(draft.subject, setting, path, findings);
}

/** `ENV_INPUT_ZIPKIN_PATH_V2` and its like, for the blocks that are there. */
function applyInputVariables<Kind extends ComponentKind>(
  drafts: readonly Draft<Kind>[],
  kinds: readonly Kind[],
  env: Environment,
  findings: Findings,
): void {
  for (const [label, text] of Object.entries(env).sort()) {
    if (!label.startsWith('ENV_INPUT_') || text === undefined || text === '') continue;
    const rest = label.slice('ENV_INPUT_'.length);
    const names = kinds.flatMap((kind) => namesOf(kind).map((name) => ({ kind, prefix: `${name.toUpperCase()}_` })));
    const match = names.sort((a, b) => b.prefix.length - a.prefix.length).find(({ prefix }) => rest.startsWith(prefix));
    const keys = match === undefined ? [] : [...(keysOf(match.kind.config)?.keys() ?? [])];
    const key = keys.find((candidate) => snakeUpper(candidate) === rest.slice(match?.prefix.length ?? 0));
    if (match === undefined || key === undefined) {
      findings.warnings.push(plain('environment', `${label} has no counterpart in Trawl and has no effect`));
      continue;
    }
    for (const draft of drafts) {
      if (draft.kind === match.kind)
        applySetting(draft.subject, { source: 'environment', label, path: [key], text }, [key], findings);
    }
  }
}

function applyEnvironment(
  main: Subject,
  env: Environment,
  options: { host: HostNames; others: readonly string[] },
  findings: Findings,
): void {
  for (const setting of dataKitSettings(env, options.host)) applySetting(main, setting, setting.path, findings);
  for (const [name, why] of Object.entries(dataKitVariablesWithoutCounterpart)) {
    if (env[name] !== undefined && env[name] !== '')
      findings.warnings.push(plain('environment', `${name} has no effect: ${why}`));
  }
  const own = trawlVariables(env, options.others);
  for (const setting of own.settings) applySetting(main, setting, setting.path, findings);
  for (const name of own.unknown) {
    findings.warnings.push(
      plain(
        'environment',
        `${name} is no setting of Trawl's and has no effect`,
        didYouMean(name, trawlVariableNames()),
      ),
    );
  }
}

/** Listening beyond loopback without a token is safe but seldom meant. */
function warnOfClosedQueries(subject: Subject, { http }: MainConfig, findings: Findings): void {
  const isLoopback = /^(?:localhost|127\.[\d.]+|\[::1\]):\d+$/.test(http.listen);
  if (isLoopback || http.query !== 'token' || http.query_tokens.length > 0) return;
  const message = `queries are answered on loopback only: [http] listens at ${http.listen}, but there are no query_tokens`;
  const hint = 'set query_tokens, or query = "open" or "loopback"';
  findings.warnings.push(place(subject, { path: ['http', 'listen'], at: 'key', message, hint }));
}

async function checkBlocks<Kind extends ComponentKind>(
  drafts: readonly Draft<Kind>[],
  section: Section,
  env: Environment,
  findings: Findings,
): Promise<ComponentBlock<Kind>[]> {
  const counts = new Map<string, number>();
  const blocks: ComponentBlock<Kind>[] = [];
  for (const { kind, subject } of drafts) {
    const count = counts.get(kind.type) ?? 0;
    counts.set(kind.type, count + 1);
    const config = await validate(subject, env, findings);
    const at = place(subject, { path: [], at: 'key', message: '' });
    const source = at.line > 0 ? `${at.file}:${at.line}` : at.file;
    blocks.push({ kind, name: `${section}.${kind.type}${count === 0 ? '' : `#${count}`}`, config, source });
  }
  return blocks;
}

function readDocuments(
  sources: readonly { readonly file: string; readonly content: string }[],
  env: Environment,
  findings: Findings,
): { main: TomlDocument | undefined; documents: TomlDocument[] } {
  let main: TomlDocument | undefined;
  const documents: TomlDocument[] = [];
  for (const { file, content } of sources) {
    const parsed = parseToml(file, content, env);
    if (!parsed.ok) {
      findings.problems.push(parsed.problem);
      continue;
    }
    documents.push(parsed.document);
    if (basename(file) !== mainFileName) checkTopLevel(parsed.document, findings);
    else if (main === undefined) main = parsed.document;
    else findings.problems.push(plain(file, `is a second ${mainFileName}`, `the first is ${main.file}; keep one`));
  }
  return { main, documents };
}

const inOrder = (problems: readonly Problem[]): Problem[] =>
  [...problems].sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line || a.column - b.column));

/** Loads and checks a configuration. Precedence: `--set`, then `TRAWL_*`, then DataKit's `ENV_*`, then the files, then the defaults. */
export async function loadConfiguration<InputKind extends ComponentKind, OutputKind extends ComponentKind>(
  options: LoadOptions<InputKind, OutputKind>,
): Promise<Loaded<InputKind, OutputKind>> {
  return await loadFiles(await readFiles(options), options);
}

/** The same for files that were read already. */
export async function loadFiles<InputKind extends ComponentKind, OutputKind extends ComponentKind>(
  found: FoundFiles,
  options: LoadOptions<InputKind, OutputKind>,
): Promise<Loaded<InputKind, OutputKind>> {
  const { env, kinds } = options;
  const findings: Findings = { problems: [...found.problems], warnings: [...found.warnings] };
  const { main: mainDocument, documents } = readDocuments(found.files, env, findings);
  const main = mainSubject(mainDocument, findings);
  const inputs = documents.flatMap((document) => draftBlocks(document, 'inputs', kinds.inputs, findings));
  const outputs = documents.flatMap((document) => draftBlocks(document, 'outputs', kinds.outputs, findings));

  applyEnvironment(main, env, { host: options.host ?? hostNames(env), others: options.otherVariables ?? [] }, findings);
  applyInputVariables(inputs, kinds.inputs, env, findings);
  for (const argument of options.sets) {
    const parsed = parseSet(argument);
    if (!parsed.ok) findings.problems.push(plain('--set', parsed.message, parsed.hint));
    else if (parsed.setting.path[0] === 'inputs') applyBlockSet(inputs, kinds.inputs, parsed.setting, findings);
    else if (parsed.setting.path[0] === 'outputs') applyBlockSet(outputs, kinds.outputs, parsed.setting, findings);
    else applySetting(main, parsed.setting, parsed.setting.path, findings);
  }

  const checkedMain = await validate(main, env, findings);
  if (checkedMain !== undefined) warnOfClosedQueries(main, checkedMain, findings);
  const checkedInputs = await checkBlocks(inputs, 'inputs', env, findings);
  const checkedOutputs = await checkBlocks(outputs, 'outputs', env, findings);
  const told = { warnings: inOrder(findings.warnings), files: found.files.map((source) => source.file) };
  if (findings.problems.length > 0 || checkedMain === undefined)
    return { ok: false, problems: inOrder(findings.problems), ...told };
  return {
    ok: true,
    configuration: { main: checkedMain, inputs: checkedInputs, outputs: checkedOutputs },
    ...told,
  };
}
