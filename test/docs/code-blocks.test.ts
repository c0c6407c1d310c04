/** Every code block of README and docs is run, loaded or parsed, and what stands beside it is what comes out. */
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { kinds } from '../../src/cli/agent/kinds.ts';
import { loadConfiguration } from '../../src/config/load.ts';
import { formatProblem } from '../../src/config/problem.ts';
import { differenceOf } from './answers.ts';
import { type Block, blocksOf, documents, root } from './blocks.ts';
import { blockTimeoutMs, type Reader, startReader } from './reader.ts';

/** Blocks that nothing can run, by document and beginning. A block that is not here and has no known language is a failure. */
const notRun: readonly { readonly file: string; readonly begins: string; readonly reason: string }[] = [
  { file: 'README.md', begins: ' Envoy, Istio, Zipkin clients', reason: 'a picture' },
  { file: 'docs/operations/running.md', begins: '[Service]', reason: 'a unit of systemd, which no test may manage' },
  { file: 'docs/reference/spool-format.md', begins: ' 0        8        12', reason: 'a picture of bytes' },
  { file: 'docs/reference/spool-format.md', begins: ' 0        4        8', reason: 'a picture of bytes' },
  {
    file: 'docs/reference/spool-format.md',
    begins: 'trawl-positions 1',
    reason: 'a file; positions.test.ts reads one',
  },
];

const runnable = new Set(['sh', 'toml', 'json', 'text', 'yaml']);
const scripts: Readonly<Record<string, string>> = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).scripts;
const all = documents().flatMap((file) => blocksOf(file));
const titleOf = (block: Block) => `${block.file}:${block.line}`;
const exemptionOf = (block: Block) =>
  notRun.find(({ file, begins }) => file === block.file && block.text.startsWith(begins));
const tested = all.filter((block) => exemptionOf(block) === undefined);

/** A block that is the answer to the `sh` block before it. */
const isAnswer = (block: Block) => {
  const before = all[all.indexOf(block) - 1];
  return block.followsBlock && before?.language === 'sh' && (block.language === 'text' || block.language === 'json');
};
const answerTo = (block: Block): Block | undefined => {
  const next = all[all.indexOf(block) + 1];
  return next !== undefined && next.file === block.file && isAnswer(next) ? next : undefined;
};

/** `npm ci && npm start`, and programs under bench/: run by other tests or by hand, but what they name must be there. */
const isProjectCommand = (block: Block) =>
  block.text.split(/\n|&&/).every((command) => /^\s*(npm |npx tsx |node bench\/|#|$)/.test(command));

describe('the code blocks of the documents', () => {
  it('are all of a language that is tested, or say why not', () => {
    const unknown = tested.filter(
      (block) => !runnable.has(block.language) || (block.language === 'text' && !isAnswer(block)),
    );
    expect(unknown.map((block) => `${titleOf(block)}: a block "${block.language}" that nothing tests`)).toEqual([]);
    const stale = notRun.filter(
      ({ file, begins }) => !all.some((block) => block.file === file && block.text.startsWith(begins)),
    );
    expect(stale).toEqual([]);
  });

  it('name only files that are there', () => {
    const broken = documents().flatMap((file) => {
      const text = readFileSync(join(root, file), 'utf8');
      const targets = [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)].map((match) => match[1] ?? '');
      const local = targets.filter((target) => !/^[a-z]+:/.test(target));
      return local
        .filter((target) => !existsSync(join(root, dirname(file), target)))
        .map((target) => `${file} links to ${target}, which is not there`);
    });
    expect(broken).toEqual([]);
  });
});

describe.each(documents().filter((file) => tested.some((block) => block.file === file && needsAgent(block))))(
  'the commands of %s',
  (file) => {
    let reader: Reader;
    beforeAll(async () => {
      reader = await startReader();
    });
    afterAll(async () => {
      await reader.leave();
    });

    it('meet the agent that npm start starts', () => {
      const [, program = '', command] = reader.agent.child.spawnargs;
      expect(scripts['start']).toBe(`exec node ${program.slice(root.length)} ${command}`);
      expect(scripts['prestart']).toContain('build');
    });

    // In order: a reader who follows a document has done what stands above.
    it.each(
      tested
        .filter((block) => block.file === file && needsAgent(block))
        .map((block) => [titleOf(block), block] as const),
    )('work: %s', { timeout: blockTimeoutMs + 10_000 }, async (title, block) => {
      const { exitCode, output } = await reader.run(block.text);
      const wanted = Number(/^# exits (\d+)$/m.exec(block.text)?.[1] ?? 0);
      expect(exitCode, `${title} exited ${exitCode}:\n${output}\n${reader.agent.output()}`).toBe(wanted);
      const answer = answerTo(block);
      if (answer === undefined) return;
      const difference = differenceOf(answer.language, reader.translate(answer.text), output);
      expect(difference, `${titleOf(answer)}: ${difference}`).toBeUndefined();
    });
  },
);

function needsAgent(block: Block): boolean {
  return block.language === 'sh' && !isProjectCommand(block);
}

describe('the commands that build and measure', () => {
  it.each(
    tested
      .filter((block) => block.language === 'sh' && isProjectCommand(block))
      .map((block) => [titleOf(block), block] as const),
  )('name scripts and programs that are there: %s', (title, block) => {
    for (const command of block.text.split(/\n|&&/).map((part) => part.trim())) {
      const [program, first = '', second = ''] = command.split(/\s+/);
      if (program === 'npm' && first !== 'ci') {
        const script = first === 'run' ? second : first;
        expect(Object.keys(scripts), `${title}: npm has no script "${script}"`).toContain(script);
      }
      const file = program === 'npx' ? second : program === 'node' ? first : undefined;
      if (file !== undefined) expect(existsSync(join(root, file)), `${title}: there is no ${file}`).toBe(true);
    }
  });

  it('install from a lock that fits the package, as npm ci wants it', () => {
    const wanted = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const locked = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages[''];
    for (const kind of ['dependencies', 'devDependencies', 'optionalDependencies', 'engines'])
      expect(locked[kind], kind).toEqual(wanted[kind]);
  });
});

describe('the manifests of the documents', () => {
  it.each(tested.filter((block) => block.language === 'yaml').map((block) => [titleOf(block), block] as const))(
    'can be read, and say what they are: %s',
    (_title, block) => {
      for (const document of parseAllDocuments(block.text)) {
        expect(document.errors).toEqual([]);
        expect(document.toJS()).toMatchObject({ apiVersion: expect.any(String), kind: expect.any(String) });
      }
    },
  );
});

describe('the configurations of the documents', () => {
  it.each(tested.filter((block) => block.language === 'toml').map((block) => [titleOf(block), block] as const))(
    'are taken, or refused as they say: %s',
    async (title, block) => {
      const directory = await mkdtemp(join(tmpdir(), 'trawl-toml-'));
      try {
        const name = /^\[\[?(inputs|outputs)\./m.test(block.text) ? 'block.conf' : 'trawl.conf';
        await writeFile(join(directory, name), block.text);
        const secrets = [...block.text.matchAll(/\benv = "(\w+)"/g)].map((match) => [match[1], 'a secret']);
        const env = Object.fromEntries(secrets);
        const loaded = await loadConfiguration({ directory, kinds, env, sets: [] });
        const said = (loaded.ok ? loaded.warnings : loaded.problems).map(formatProblem).join('\n');
        const refused = /^# refused: (.+)$/m.exec(block.text)?.[1];
        expect(loaded.ok, `${title}: ${said}`).toBe(refused === undefined);
        if (refused !== undefined) expect(said, title).toContain(refused);
      } finally {
        await rm(directory, { recursive: true });
      }
    },
  );
});

describe('the JSON of the documents', () => {
  it.each(tested.filter((block) => block.language === 'json').map((block) => [titleOf(block), block] as const))(
    'can be read: %s',
    (title, block) => {
      expect(() => JSON.parse(block.text), title).not.toThrow();
    },
  );
});
