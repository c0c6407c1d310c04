/** Writes what the schemas say: the commented sample files and the reference page. */
import type { z } from 'zod';
import type { ComponentKind, Section } from './load.ts';
import { mainConfig } from './main-config.ts';
import { dataKitVariables, snakeUpper, variableName } from './overrides.ts';
import { keysOf, type Path, type Shape, shapeOf, typeNameOf, unwrap } from './schema-walk.ts';

const isPlainObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const tomlKey = (key: string): string => (/^[A-Za-z0-9_-]+$/.test(key) ? key : JSON.stringify(key));

/** Writes a default or an example as TOML. */
export function toTomlValue(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(toTomlValue).join(', ')}]`;
  if (isPlainObject(value)) {
    const pairs = Object.entries(value).map(([key, item]) => `${tomlKey(key)} = ${toTomlValue(item)}`);
    return pairs.length === 0 ? '{}' : `{ ${pairs.join(', ')} }`;
  }
  return JSON.stringify(value);
}

function wrap(text: string, prefix: string, width = 100): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && prefix.length + line.length + 1 + word.length > width) {
      lines.push(prefix + line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return `${[...lines, prefix + line].join('\n')}\n`;
}

const describe = (schema: z.ZodType): string => unwrap(schema).notes.description ?? '';

/** A value to show for a key in a sample: the default, else the example, else what its type suggests. */
function sampleValue(schema: z.ZodType): string {
  const { defaultValue, notes, schema: inner } = unwrap(schema);
  const isEmpty =
    defaultValue === undefined ||
    toTomlValue(defaultValue) === '[]' ||
    toTomlValue(defaultValue) === '{}' ||
    defaultValue === '';
  if (!isEmpty) return toTomlValue(defaultValue);
  if (notes.example !== undefined) return toTomlValue(notes.example);
  if (defaultValue !== undefined) return toTomlValue(defaultValue);
  const keys = keysOf(inner);
  return keys === undefined ? '""' : '{}';
}

function sampleKey(key: string, schema: z.ZodType, options: { indent: string; isActive: boolean }): string {
  const { indent, isActive } = options;
  const { defaultValue, notes, isRequired } = unwrap(schema);
  const isShownExample = notes.example !== undefined && sampleValue(schema) !== toTomlValue(defaultValue);
  const standard = defaultValue === undefined ? 'none' : toTomlValue(defaultValue);
  const remark = isRequired ? ' Required.' : isShownExample ? ` Default: ${standard}.` : '';
  const line = `${tomlKey(key)} = ${sampleValue(schema)}`;
  return `${wrap(`${describe(schema)}${remark}`, `${indent}## `)}${indent}${isRequired && isActive ? '' : '# '}${line}\n`;
}

/** Keys with a value, in order, without those of the shapes left out. */
function sampleKeys(
  schema: z.ZodType,
  options: { indent: string; isActive: boolean },
  leftOut: readonly Shape[] = ['table'],
): string {
  const keys = [...(keysOf(schema) ?? [])].filter(([, below]) => !leftOut.includes(shapeOf(below)));
  return keys.map(([key, below]) => sampleKey(key, below, options)).join('\n');
}

function sampleTables(schema: z.ZodType, base: Path): string {
  let text = '';
  for (const [key, below] of keysOf(schema) ?? []) {
    if (shapeOf(below) !== 'table') continue;
    text += `\n${wrap(describe(below), '  ## ')}  # [${[...base, key].join('.')}]\n`;
    text += sampleKeys(below, { indent: '    ', isActive: false });
  }
  return text;
}

/** The commented file that ships for an input or output, e.g. `conf.d/zipkin.conf`. */
export function sampleFile(section: Section, kind: ComponentKind): string {
  const isOn = unwrap(kind.config).notes.isShippedOn === true;
  const header = `[[${section}.${kind.type}]]`;
  const state = isOn
    ? 'Switched on as shipped. Remove the block, or this file, to switch it off.'
    : 'Switched off as shipped. Take the "# " before the block\'s header and the keys you need away to switch it on.';
  const keys = sampleKeys(kind.config, { indent: '  ', isActive: isOn });
  const tables = sampleTables(kind.config, [section, kind.type]);
  return [
    wrap(`${kind.summary}`, '# '),
    wrap(state, '# '),
    wrap(
      'Keys that begin with "# " show their default or an example. All of them: docs/reference/configuration.md',
      '# ',
    ),
    `\n${isOn ? '' : '# '}${header}\n`,
    keys,
    tables,
  ].join('');
}

/** The commented `trawl.conf`. */
export function mainSampleFile(): string {
  const parts = [
    wrap(
      'The main file: listeners, store, limits, log. Everything here is optional; what is commented out shows the default or an example.',
      '# ',
    ),
    wrap(
      'A variable of the environment goes before this file (store.retention is TRAWL_STORE_RETENTION), and --set KEY=VALUE before both. All keys: docs/reference/configuration.md',
      '# ',
    ),
    '\n',
    sampleKeys(mainConfig, { indent: '', isActive: false }, ['table', 'record']),
  ];
  for (const [key, below] of keysOf(mainConfig) ?? []) {
    if (shapeOf(below) !== 'table' && shapeOf(below) !== 'record') continue;
    parts.push(`\n${wrap(describe(below), '# ')}[${key}]\n`);
    const example = unwrap(below).notes.example;
    if (shapeOf(below) === 'table') parts.push(sampleKeys(below, { indent: '  ', isActive: false }));
    else if (isPlainObject(example))
      for (const [name, value] of Object.entries(example)) parts.push(`  # ${tomlKey(name)} = ${toTomlValue(value)}\n`);
  }
  return parts.join('');
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

interface Row {
  readonly key: string;
  readonly schema: z.ZodType;
}

function rowsOf(schema: z.ZodType, prefix = ''): Row[] {
  return [...(keysOf(schema) ?? [])].flatMap(([key, below]) =>
    shapeOf(below) === 'table'
      ? [{ key: prefix + key, schema: below }, ...rowsOf(below, `${prefix}${key}.`)]
      : [{ key: prefix + key, schema: below }],
  );
}

function table(rows: readonly Row[], variable?: (key: string) => string): string {
  const head =
    variable === undefined
      ? '| key | takes | default | what it does |\n|---|---|---|---|\n'
      : '| key | variable | takes | default | what it does |\n|---|---|---|---|---|\n';
  return (
    head +
    rows
      .map(({ key, schema }) => {
        const { defaultValue, notes, isRequired } = unwrap(schema);
        const isTableOfKeys = shapeOf(schema) === 'table';
        const standard = isRequired
          ? '**required**'
          : defaultValue === undefined || isTableOfKeys
            ? ''
            : `\`${toTomlValue(defaultValue)}\``;
        const since = notes.since === undefined ? '' : ` Since ${notes.since}.`;
        const example = notes.example === undefined ? '' : ` E.g. \`${toTomlValue(notes.example)}\`.`;
        const cells = [
          `\`${key}\``,
          ...(variable === undefined ? [] : [`\`${variable(key)}\``]),
          cell(typeNameOf(schema)),
          cell(standard),
          cell(`${describe(schema)}${example}${since}`),
        ];
        return `| ${cells.join(' | ')} |\n`;
      })
      .join('')
  );
}

function kindReference(section: Section, kind: ComponentKind): string {
  const { notes } = unwrap(kind.config);
  const aliases = (notes.aliases ?? []).map((alias) => `\`${alias}\``).join(', ');
  const later = (notes.laterKeys ?? []).map((key) => `\`${key}\``).join(', ');
  const dataKitOnly = Object.entries(notes.dataKitOnly ?? {}).map(([key, why]) => `| \`${key}\` | ${cell(why)} |\n`);
  return [
    `\n### \`[[${section}.${kind.type}]]\`\n\n${kind.summary}\n`,
    aliases === '' ? '' : `\nAlso called ${aliases}.\n`,
    `\n${table(rowsOf(kind.config))}`,
    later === '' ? '' : `\nTaken, but without effect so far (using one is a warning): ${later}.\n`,
    dataKitOnly.length === 0
      ? ''
      : `\nKeys of DataKit's that cost a warning and have no effect:\n\n| key | because |\n|---|---|\n${dataKitOnly.join('')}`,
  ].join('');
}

export interface DocumentedKinds {
  readonly inputs: readonly ComponentKind[];
  readonly outputs: readonly ComponentKind[];
}

const introduction = `# Configuration

<!-- Generated from the schemas by \`npm run docs\`; do not edit. -->

Trawl reads every \`*.conf\` file below its configuration directory, in TOML. One of them, \`trawl.conf\`, is the main file; the others hold
blocks of inputs and outputs, as many and in as many files as you like. Without \`trawl.conf\` everything in it has its default.
Hidden directories, \`*.conf.sample\` and a file with exactly the content of another are passed over. \`trawl check\` finds every mistake at once.

- A block is \`[[inputs.NAME]]\` or \`[[outputs.NAME]]\`; a single one may be \`[inputs.NAME]\`.
- \`$VAR\` and \`\${VAR}\` are replaced where that environment variable exists, and stay as they are where it does not.
- A duration is \`"500ms"\`, \`"10s"\`, \`"1m30s"\`, \`"7d"\`; a number without a unit is refused.
- A size is \`"64MiB"\` (1024²), \`"64MB"\` (1000²), or a number of bytes.
- A secret is text, \`{ file = "/path" }\` or \`{ env = "VARIABLE" }\`. It is shown nowhere, not even in error messages.

What goes before what: \`--set KEY=VALUE\`, then \`TRAWL_*\` variables, then DataKit's \`ENV_*\` variables, then the files, then the defaults.
\`--set\` takes any key: \`--set store.retention=forever\`, \`--set inputs.zipkin.pathV2=/spans\` (every block of the kind; one is made if there is none),
\`--set 'inputs.prom[1].interval=15s'\` (the second one). Lists are written \`a,b\` and tables \`k=v,k2=v2\`, or both as in TOML.

A key that DataKit has and Trawl lacks is a warning, and so is an input that Trawl lacks. Any other unknown key is an error.
`;

/** The page \`docs/reference/configuration.md\`. */
export function referencePage(kinds: DocumentedKinds): string {
  const variables = dataKitVariables.map(([name, path]) => `| \`${name}\` | \`${path.join('.')}\` |\n`);
  const inputVariables = kinds.inputs.flatMap((kind) =>
    [kind.type, ...(unwrap(kind.config).notes.aliases ?? [])].map((name) => {
      const key = [...(keysOf(kind.config)?.keys() ?? [])][0] ?? '';
      return `| \`ENV_INPUT_${name.toUpperCase()}_…\` | \`inputs.${kind.type}.…\`, e.g. \`ENV_INPUT_${name.toUpperCase()}_${snakeUpper(key)}\` for \`${key}\` |\n`;
    }),
  );
  const rows = rowsOf(mainConfig);
  const top = rows.filter((row) => !row.key.includes('.') && shapeOf(row.schema) !== 'table');
  const sections = [...(keysOf(mainConfig) ?? [])].filter(([, schema]) => shapeOf(schema) === 'table');
  const toVariable = (key: string) => variableName(key.split('.'));
  return [
    introduction,
    `\n## \`trawl.conf\`\n\n${table(top, toVariable)}`,
    ...sections.map(
      ([key, schema]) => `\n### \`[${key}]\`\n\n${describe(schema)}\n\n${table(rowsOf(schema, `${key}.`), toVariable)}`,
    ),
    `\n## Inputs\n`,
    ...kinds.inputs.map((kind) => kindReference('inputs', kind)),
    `\n## Outputs\n`,
    ...kinds.outputs.map((kind) => kindReference('outputs', kind)),
    `\n## DataKit's environment variables\n\n| variable | key |\n|---|---|\n${variables.join('')}${inputVariables.join('')}`,
  ].join('');
}
