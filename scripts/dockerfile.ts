/** Reads a Dockerfile as far as Trawl's own goes; an instruction that is not known here is refused, so that none is passed over. */

/** One instruction, e.g. `RUN` and what follows it. */
export interface Instruction {
  readonly line: number;
  readonly name: string;
  readonly rest: string;
}

export interface Stage {
  /** '' where it has none. */
  readonly name: string;
  readonly image: string;
  readonly instructions: readonly Instruction[];
}

/** What a `COPY` copies. */
export interface Copy {
  /** The stage it copies from; undefined for the files beside the Dockerfile. */
  readonly from: string | undefined;
  readonly sources: readonly string[];
  readonly destination: string;
}

const known = new Set([
  'FROM',
  'WORKDIR',
  'COPY',
  'RUN',
  'ENV',
  'USER',
  'VOLUME',
  'EXPOSE',
  'HEALTHCHECK',
  'ENTRYPOINT',
  'CMD',
]);

function instructionsOf(text: string): readonly Instruction[] {
  const found: Instruction[] = [];
  let open: Instruction | undefined;
  for (const [index, line] of text.split('\n').entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    const goesOn = line.endsWith('\\');
    const part = (goesOn ? line.slice(0, -1) : line).trim();
    const [name = '', ...rest] = part.split(/\s+/);
    open =
      open === undefined
        ? { line: index + 1, name: name.toUpperCase(), rest: rest.join(' ') }
        : { ...open, rest: `${open.rest} ${part}`.trim() };
    if (goesOn) continue;
    if (!known.has(open.name)) throw new Error(`line ${open.line}: the instruction ${open.name} is not known here`);
    found.push(open);
    open = undefined;
  }
  return found;
}

/** The stages of a Dockerfile, in order. Throws at an instruction that is not known. */
export function parseDockerfile(text: string): readonly Stage[] {
  const stages: { name: string; image: string; instructions: Instruction[] }[] = [];
  for (const instruction of instructionsOf(text)) {
    const current = stages.at(-1);
    if (instruction.name === 'FROM') {
      const [, image = '', name = ''] = /^(\S+)(?: AS (\S+))?$/i.exec(instruction.rest) ?? [];
      stages.push({ name, image, instructions: [] });
    } else if (current === undefined) {
      throw new Error(`line ${instruction.line}: ${instruction.name} stands before the first FROM`);
    } else {
      current.instructions.push(instruction);
    }
  }
  return stages;
}

/** Reads what follows `COPY`. */
export function parseCopy({ rest, line }: Instruction): Copy {
  const words = rest.split(/\s+/);
  const options = words.filter((word) => word.startsWith('--'));
  const paths = words.filter((word) => !word.startsWith('--'));
  const from = options.find((option) => option.startsWith('--from='))?.slice('--from='.length);
  const destination = paths.at(-1);
  if (destination === undefined || paths.length < 2 || options.length > (from === undefined ? 0 : 1))
    throw new Error(`line ${line}: COPY ${rest} is not understood here`);
  return { from, sources: paths.slice(0, -1), destination };
}

/** Reads what follows `ENV`: pairs without quotes. */
export function parseEnv({ rest, line }: Instruction): Readonly<Record<string, string>> {
  const pairs = rest.split(/\s+/).map((pair) => /^(\w+)=([^"']*)$/.exec(pair));
  if (pairs.includes(null)) throw new Error(`line ${line}: ENV ${rest} is not understood here`);
  return Object.fromEntries(pairs.map((pair) => [pair?.[1] ?? '', pair?.[2] ?? '']));
}
