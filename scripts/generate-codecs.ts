/**
 * Writes the codecs of what `src/codec/` has a .proto file for: FOLDER/NAME.proto becomes FOLDER/NAME.generated.ts, with a type, a decoder
 * and an encoder for each message, and the same for protobuf's JSON. protobufjs parses the file and reads and writes the wire; its own
 * generator is not used, because what it writes has no types for TypeScript, keeps 64-bit integers in objects of their own, takes a field of
 * the wrong wire type for an unknown one, and is slower. `--check` writes nothing and fails when a file is not what it would write.
 */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import protobuf from 'protobufjs';

const codecs = 'src/codec';

interface Scalar {
  readonly type: string;
  readonly wireType: number;
  readonly initial: string;
  /** The methods of WireReader and WireWriter. */
  readonly read: string;
  readonly write: string;
  /** An expression in the message's `value`: whether it is what an absent field means. */
  readonly isDefault: (value: string) => string;
  /** Functions of json-fields.ts. */
  readonly readJson: string;
  readonly writeJson: (value: string) => string;
}

const zero = (value: string) => `${value} === 0`;
const zeroBits = (value: string) => `${value}.low === 0 && ${value}.high === 0`;
const asText = (value: string) => `String(${value})`;
const by = (name: string) => (value: string) => `${name}(${value})`;

const scalars: Readonly<Record<string, Scalar>> = {
  string: {
    type: 'string',
    wireType: 2,
    initial: "''",
    read: 'text',
    write: 'string',
    isDefault: (v) => `${v} === ''`,
    readJson: 'readText',
    writeJson: by('writeText'),
  },
  hex: {
    type: 'string',
    wireType: 2,
    initial: "''",
    read: 'hex',
    write: 'hex',
    isDefault: (v) => `${v} === ''`,
    readJson: 'readHex',
    writeJson: by('writeText'),
  },
  bytes: {
    type: 'Uint8Array',
    wireType: 2,
    initial: 'noBytes',
    read: 'copiedBytes',
    write: 'bytes',
    isDefault: (v) => `${v}.length === 0`,
    readJson: 'readBytes',
    writeJson: by('writeBytes'),
  },
  bool: {
    type: 'boolean',
    wireType: 0,
    initial: 'false',
    read: 'bool',
    write: 'bool',
    isDefault: (v) => `!${v}`,
    readJson: 'readBool',
    writeJson: asText,
  },
  double: {
    type: 'number',
    wireType: 1,
    initial: '0',
    read: 'double',
    write: 'double',
    isDefault: (v) => `Object.is(${v}, 0)`,
    readJson: 'readDouble',
    writeJson: by('writeDouble'),
  },
  uint32: {
    type: 'number',
    wireType: 0,
    initial: '0',
    read: 'uint32',
    write: 'uint32',
    isDefault: zero,
    readJson: 'readUint32',
    writeJson: asText,
  },
  int32: {
    type: 'number',
    wireType: 0,
    initial: '0',
    read: 'int32',
    write: 'int32',
    isDefault: zero,
    readJson: 'readInt32',
    writeJson: asText,
  },
  fixed32: {
    type: 'number',
    wireType: 5,
    initial: '0',
    read: 'fixed32',
    write: 'fixed32',
    isDefault: zero,
    readJson: 'readUint32',
    writeJson: asText,
  },
  int64: {
    type: 'bigint',
    wireType: 0,
    initial: '0n',
    read: 'bigInt64',
    write: 'bigInt64',
    isDefault: (v) => `${v} === 0n`,
    readJson: 'readInt64',
    writeJson: by('writeInt64'),
  },
  uint64: {
    type: 'Bits64',
    wireType: 0,
    initial: '{ low: 0, high: 0 }',
    read: 'uint64Bits',
    write: 'uint64Bits',
    isDefault: zeroBits,
    readJson: 'readUint64',
    writeJson: by('writeUint64'),
  },
  sfixed64: {
    type: 'bigint',
    wireType: 1,
    initial: '0n',
    read: 'bigFixed64',
    write: 'bigFixed64',
    isDefault: (v) => `${v} === 0n`,
    readJson: 'readInt64',
    writeJson: by('writeInt64'),
  },
  fixed64: {
    type: 'Bits64',
    wireType: 1,
    initial: '{ low: 0, high: 0 }',
    read: 'fixed64Bits',
    write: 'fixed64Bits',
    isDefault: zeroBits,
    readJson: 'readUint64',
    writeJson: by('writeUint64'),
  },
};

/** A field as the generated code sees it. */
interface Shape {
  readonly name: string;
  readonly snakeName: string;
  readonly number: number;
  readonly isRepeated: boolean;
  readonly tag: number;
  /** The tag of a single number where `tag` is that of a packed list of them. */
  readonly singleTag?: number;
  readonly type: string;
  /** Code. */
  readonly decode: string;
  readonly encode: (value: string) => string;
  readonly isDefault: (value: string) => string;
  readonly initial: string;
  readonly readJson: string;
  readonly writeJson: (value: string) => string;
}

/** A map is a list of entries on the wire, and here. */
const entryName = (field: protobuf.Field): string => `${field.name.charAt(0).toUpperCase()}${field.name.slice(1)}Entry`;

/** Whether a message is one of its fields, or none. */
function isChoice(type: protobuf.ReflectionObject | null): boolean {
  if (!(type instanceof protobuf.Type)) return false;
  const [choice] = type.oneofsArray;
  return choice !== undefined && choice.fieldsArray.length === type.fieldsArray.length;
}

function shapeOf(field: protobuf.Field): Shape {
  field.resolve();
  const snakeName = field.name;
  const name = protobuf.util.camelCase(snakeName);
  const common = { name, snakeName, number: field.id, isRepeated: field.repeated || field.map };
  const type = field.resolvedType;
  const isMap = field instanceof protobuf.MapField;
  if (isMap || type instanceof protobuf.Type) {
    const message = isMap ? entryName(field) : (type?.name ?? '');
    return {
      ...common,
      tag: (field.id << 3) | 2,
      type: message,
      decode: `decode${message}(reader, reader.enter())`,
      encode: (value) =>
        `writer.uint32(${(field.id << 3) | 2}).fork(); encode${message}(${value}, writer); writer.ldelim()`,
      isDefault: (value) => `${value} === undefined`,
      initial: 'undefined',
      readJson: `read${message}`,
      writeJson: by(`write${message}`),
    };
  }
  const isEnum = type instanceof protobuf.Enum;
  const key = isEnum ? 'int32' : field.type === 'bytes' && field.comment === 'hex' ? 'hex' : field.type;
  const scalar = scalars[key];
  if (scalar === undefined) throw new Error(`${field.fullName}: fields of type ${field.type} are not generated`);
  const isPacked = field.repeated && scalar.wireType !== 2;
  const tag = (field.id << 3) | (isPacked ? 2 : scalar.wireType);
  // One of several, or `optional`: that it is there says something.
  const hasPresence = field.partOf !== null && !isChoice(field.parent);
  return {
    ...common,
    tag,
    ...(isPacked ? { singleTag: (field.id << 3) | scalar.wireType } : {}),
    type: scalar.type,
    decode: `reader.${field.type === 'string' && field.comment === 'repeats' ? 'repeatedText' : scalar.read}()`,
    encode: (value) =>
      isPacked ? `writer.${scalar.write}(${value})` : `writer.uint32(${tag}); writer.${scalar.write}(${value})`,
    isDefault: hasPresence ? (value) => `${value} === undefined` : scalar.isDefault,
    initial: hasPresence ? 'undefined' : scalar.initial,
    readJson: isEnum ? `read${type.name}` : scalar.readJson,
    writeJson: scalar.writeJson,
  };
}

const typeOf = (shape: Shape): string =>
  shape.isRepeated ? `${shape.type}[]` : shape.initial === 'undefined' ? `${shape.type} | undefined` : shape.type;

const initialOf = (shape: Shape): string => (shape.isRepeated ? '[]' : shape.initial);

function casesOf(shape: Shape): string {
  return shape.snakeName === shape.name
    ? `case '${shape.name}':`
    : `case '${shape.name}':\n        case '${shape.snakeName}':`;
}

function decodeCases({ name, tag, singleTag, isRepeated, decode }: Shape): string {
  if (singleTag !== undefined) {
    return `      case ${tag}:
        for (const stop = reader.enterPacked(); reader.goesOn(stop); ) message.${name}.push(${decode});
        break;
      case ${singleTag}:
        message.${name}.push(${decode});
        break;`;
  }
  return `      case ${tag}:\n        ${isRepeated ? `message.${name}.push(${decode})` : `message.${name} = ${decode}`};\n        break;`;
}

/** A message of fields that may all be there. */
function generateMessage(name: string, shapes: readonly Shape[]): string {
  const fields = (line: (shape: Shape) => string) => shapes.map(line).join('\n');
  return `
export interface ${name} {
${fields((shape) => `  ${shape.name}: ${typeOf(shape)};`)}
}

export function new${name}(): ${name} {
  return { ${shapes.map((shape) => `${shape.name}: ${initialOf(shape)}`).join(', ')} };
}

const fieldsOf${name} = [${shapes.map(({ number }) => number).join(', ')}];

export function decode${name}(reader: WireReader, end: number): ${name} {
  const message = new${name}();
  while (reader.pos < end) {
    const tag = reader.tag();
    switch (tag) {
${fields(decodeCases)}
      default:
        reader.unknown(tag, fieldsOf${name});
    }
  }
  reader.leave(end);
  return message;
}

export function encode${name}(message: ${name}, writer: WireWriter): void {
${fields((shape) =>
  shape.singleTag !== undefined
    ? `  if (message.${shape.name}.length > 0) {\n    writer.uint32(${shape.tag}).fork();\n    for (const item of message.${shape.name}) ${shape.encode('item')};\n    writer.ldelim();\n  }`
    : shape.isRepeated
      ? `  for (const item of message.${shape.name}) { ${shape.encode('item')}; }`
      : `  if (!(${shape.isDefault(`message.${shape.name}`)})) { ${shape.encode(`message.${shape.name}`)}; }`,
)}
}

export function read${name}(value: unknown): ${name} {
  const message = new${name}();
  const object = readObject(value);
  let key = '';
  try {
    for (key in object) {
      const field = object[key];
      if (field === null) continue;
      switch (key) {
${fields((shape) => `        ${casesOf(shape)}\n          message.${shape.name} = ${shape.isRepeated ? `readList(field, ${shape.readJson})` : `${shape.readJson}(field)`};\n          break;`)}
      }
    }
  } catch (error) {
    throw placed(\`.\${key}\`, error);
  }
  return message;
}

export function write${name}(message: ${name}): string {
  let text = '';
${fields((shape) =>
  shape.isRepeated
    ? `  if (message.${shape.name}.length > 0) text += \`,"${shape.name}":\${writeList(message.${shape.name}, ${shape.writeJson('').replace(/\(\)$/, '')})}\`;`
    : `  if (!(${shape.isDefault(`message.${shape.name}`)})) text += \`,"${shape.name}":\${${shape.writeJson(`message.${shape.name}`)}}\`;`,
)}
  return text === '' ? '{}' : \`{\${text.slice(1)}}\`;
}
`;
}

/** A message that is one of its fields, or none. */
function generateChoice(name: string, shapes: readonly Shape[]): string {
  const fields = (line: (shape: Shape) => string) => shapes.map(line).join('\n');
  return `
export type ${name} =
${fields((shape) => `  | { readonly case: '${shape.name}'; readonly value: ${shape.type} }`)}
  | { readonly case: 'none'; readonly value: undefined };

const no${name}: ${name} = { case: 'none', value: undefined };
const fieldsOf${name} = [${shapes.map(({ number }) => number).join(', ')}];

export function decode${name}(reader: WireReader, end: number): ${name} {
  let message = no${name};
  while (reader.pos < end) {
    const tag = reader.tag();
    switch (tag) {
${fields((shape) => `      case ${shape.tag}:\n        message = { case: '${shape.name}', value: ${shape.decode} };\n        break;`)}
      default:
        reader.unknown(tag, fieldsOf${name});
    }
  }
  reader.leave(end);
  return message;
}

export function encode${name}(message: ${name}, writer: WireWriter): void {
  switch (message.case) {
${fields((shape) => `    case '${shape.name}':\n      ${shape.encode('message.value')};\n      break;`)}
  }
}

export function read${name}(value: unknown): ${name} {
  let message = no${name};
  const object = readObject(value);
  let key = '';
  try {
    for (key in object) {
      const field = object[key];
      if (field === null) continue;
      switch (key) {
${fields((shape) => `        ${casesOf(shape)}\n          message = { case: '${shape.name}', value: ${shape.readJson}(field) };\n          break;`)}
      }
    }
  } catch (error) {
    throw placed(\`.\${key}\`, error);
  }
  return message;
}

export function write${name}(message: ${name}): string {
  switch (message.case) {
${fields((shape) => `    case '${shape.name}':\n      return \`{"${shape.name}":\${${shape.writeJson('message.value')}}}\`;`)}
    default:
      return '{}';
  }
}
`;
}

function generateEnum({ name, values }: protobuf.Enum): string {
  const entries = Object.entries(values);
  return `
export const numbersOf${name}: ReadonlyMap<string, number> = new Map([
${entries.map(([key, number]) => `  ['${key}', ${number}],`).join('\n')}
]);

const read${name} = (value: unknown): number => readEnum(value, numbersOf${name});
`;
}

function generateType(type: protobuf.Type): string {
  const maps = type.fieldsArray.filter((field) => field instanceof protobuf.MapField);
  const entries = maps.map((map) => {
    const entry = new protobuf.Type(entryName(map));
    entry.add(new protobuf.Field('key', 1, map.keyType));
    entry.add(new protobuf.Field('value', 2, map.type));
    return generateMessage(entry.name, entry.fieldsArray.map(shapeOf));
  });
  const shapes = type.fieldsArray.map(shapeOf);
  return entries.join('') + (isChoice(type) ? generateChoice(type.name, shapes) : generateMessage(type.name, shapes));
}

/** The module for one .proto file. */
export function generateCodec(file: string, source: string): string {
  const { root } = protobuf.parse(source, new protobuf.Root(), { keepCase: true, alternateCommentMode: true });
  let body = '';
  const visit = (space: protobuf.NamespaceBase): void => {
    for (const object of space.nestedArray) {
      if (object instanceof protobuf.Enum) body += generateEnum(object);
      else if (object instanceof protobuf.Type) body += generateType(object);
      else if (object instanceof protobuf.Namespace) visit(object);
    }
  };
  visit(root);
  const used = (names: readonly string[]) => names.filter((name) => new RegExp(`\\b${name}\\b`).test(body));
  const jsonFields = used([
    'readBool',
    'readBytes',
    'readDouble',
    'readEnum',
    'placed',
    'readHex',
    'readInt32',
    'readInt64',
    'readList',
    'readObject',
    'readText',
    'readUint32',
    'readUint64',
    'writeBytes',
    'writeDouble',
    'writeInt64',
    'writeList',
    'writeText',
    'writeUint64',
  ]);
  return `// biome-ignore-all lint: generated
// biome-ignore-all format: generated
// biome-ignore-all assist: generated
/** Generated from ${basename(file)} by scripts/generate-codecs.ts: npm run codecs. */
import { ${jsonFields.join(', ')} } from '../protobuf/json-fields.ts';
import type { ${used(['Bits64', 'WireReader']).join(', ')} } from '../protobuf/wire-reader.ts';
import type { WireWriter } from '../protobuf/wire-writer.ts';
${body.includes('noBytes') ? '\nconst noBytes = new Uint8Array(0);\n' : ''}${body}`;
}

/** The files, by their path below the repository's root. */
export async function generatedCodecs(root: string): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  const found = await readdir(join(root, codecs), { recursive: true });
  for (const path of found.filter((name) => name.endsWith('.proto')).sort()) {
    const file = join(codecs, path);
    files.set(file.replace(/\.proto$/, '.generated.ts'), generateCodec(file, await readFile(join(root, file), 'utf8')));
  }
  return files;
}

/** Files whose content on disk is not what their .proto file says. */
export async function driftedCodecs(root: string): Promise<readonly string[]> {
  const drifted: string[] = [];
  for (const [path, content] of await generatedCodecs(root)) {
    const found = await readFile(join(root, path), 'utf8').catch((error: unknown) => `missing: ${String(error)}`);
    if (found !== content) drifted.push(path);
  }
  return drifted;
}

async function main(args: readonly string[]): Promise<number> {
  const root = join(import.meta.dirname, '..');
  const drifted = await driftedCodecs(root);
  if (args.includes('--check')) {
    for (const path of drifted) console.error(`${path} is not what its .proto file says; run: npm run codecs`);
    return drifted.length === 0 ? 0 : 1;
  }
  const files = await generatedCodecs(root);
  for (const path of drifted) {
    await writeFile(join(root, path), files.get(path) ?? '');
    console.log(`wrote ${path}`);
  }
  return 0;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) process.exitCode = await main(process.argv.slice(2));
