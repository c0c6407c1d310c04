/**
 * Runs the stages of the Dockerfile without Docker, each in a directory of its own in place of the image's root: the build, the production
 * install into an empty directory, and the agent from there, as another user that can write nowhere but in the data directory. Needs root for
 * that other user; without it the directories are only made read-only. Ends with exit status 1 where anything of this fails.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { type Instruction, parseCopy, parseDockerfile, parseEnv, type Stage } from './dockerfile.ts';

const project = fileURLToPath(new URL('..', import.meta.url));

interface Built {
  /** Stands for the image's `/`. */
  readonly root: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly settings: ReadonlyMap<string, string>;
}

/** Directories of the image that a shell command or a setting may name. */
const imagePaths = /(^|[\s=])(\/(?:app|etc|var)(?:\/[\w./-]*)?)/g;

/** What is said of the image's paths, said of the directory that stands for its root. */
const within = (root: string, text: string) =>
  text.replaceAll(imagePaths, (_, before: string, path: string) => `${before}${root}${path}`);

const environmentOf = (built: Pick<Built, 'root' | 'environment'>) => ({
  PATH: process.env['PATH'] ?? '',
  HOME: join(built.root, 'root'),
  // What npm is told of a registry by the machine, and where it keeps what it has fetched.
  ...Object.fromEntries(
    Object.entries(process.env).filter(([name]) => /^(npm_config_|https?_proxy|NODE_EXTRA)/i.test(name)),
  ),
  ...Object.fromEntries(Object.entries(built.environment).map(([name, value]) => [name, within(built.root, value)])),
});

function copy(instruction: Instruction, into: { root: string; workdir: string }, built: ReadonlyMap<string, Built>) {
  const { from, sources, destination } = parseCopy(instruction);
  const root = from === undefined ? project : built.get(from)?.root;
  if (root === undefined) throw new Error(`line ${instruction.line}: there is no stage "${from}"`);
  for (const source of sources) {
    const path = join(root, source);
    const target = join(into.root, destination.startsWith('/') ? '' : into.workdir, destination);
    // Docker copies a directory's content, and a file by its name where the destination ends with a slash.
    const isIntoDirectory = destination.endsWith('/') && !statSync(path).isDirectory();
    const to = isIntoDirectory || destination === './' ? join(target, source.split('/').at(-1) ?? '') : target;
    mkdirSync(dirname(to), { recursive: true });
    cpSync(path, to, { recursive: true, verbatimSymlinks: true });
  }
}

function buildStage(stage: Stage, root: string, built: ReadonlyMap<string, Built>): Built {
  let workdir = '/';
  let environment: Record<string, string> = {};
  const settings = new Map<string, string>();
  mkdirSync(join(root, 'root'), { recursive: true });
  for (const instruction of stage.instructions) {
    const { name, rest } = instruction;
    if (name === 'WORKDIR') {
      workdir = rest;
      mkdirSync(join(root, workdir), { recursive: true });
    } else if (name === 'ENV') environment = { ...environment, ...parseEnv(instruction) };
    else if (name === 'COPY') copy(instruction, { root, workdir }, built);
    else if (name === 'RUN') {
      console.log(`   RUN ${rest}`);
      const options = {
        cwd: join(root, workdir),
        env: environmentOf({ root, environment }),
        stdio: 'inherit',
      } as const;
      execFileSync('sh', ['-c', within(root, rest)], options);
    } else settings.set(name, rest);
  }
  return { root, environment, settings };
}

const words = z.array(z.string());

/** Every file below a directory with its size and time of change. */
function contentsOf(directory: string): readonly string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      const { size, mtimeMs } = statSync(path);
      return `${path} ${size} ${mtimeMs}`;
    })
    .sort();
}

function startAgent({ root, environment, settings }: Built): { child: ChildProcess; output: () => string } {
  const [program = '', ...args] = [
    ...words.parse(JSON.parse(settings.get('ENTRYPOINT') ?? '')),
    ...words.parse(JSON.parse(settings.get('CMD') ?? '')),
  ].map((word) => within(root, word));
  const [uid, gid] = (settings.get('USER') ?? '').split(':').map(Number);
  if (uid === undefined || gid === undefined || !(uid > 0)) throw new Error('the image runs as root: USER is missing');
  const isRoot = process.getuid?.() === 0;
  if (!isRoot) console.log('   not root here: the agent runs as this user');
  const child = spawn(program, [...args, '--listen', '127.0.0.1:0'], {
    cwd: join(root, 'app'),
    env: environmentOf({ root, environment }),
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(isRoot ? { uid, gid } : {}),
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  return { child, output: () => output };
}

async function until<T>(
  what: string,
  look: () => Promise<T | undefined> | T | undefined,
  log: () => string,
): Promise<T> {
  for (let tries = 0; tries < 600; tries++) {
    const found = await look();
    if (found !== undefined) return found;
    await sleep(50);
  }
  throw new Error(`waited in vain for ${what}:\n${log()}`);
}

/** Sends a span and asks for it, so that intake, spool, store and query have all worked. */
async function tryAgent(built: Built): Promise<void> {
  const { child, output } = startAgent(built);
  try {
    const url = await until('the agent', () => /takes data in at (http:\/\/\S+)/.exec(output())?.[1], output);
    const traceId = '9c1f2e7ab04d5363';
    const span = { traceId, id: traceId, name: 'get', timestamp: Date.now() * 1000, duration: 5 };
    const answer = await fetch(`${url}/api/v2/spans`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify([span]),
    });
    if (answer.status !== 202) throw new Error(`the span was answered ${answer.status}: ${await answer.text()}`);
    const ask = async () => {
      const found = await fetch(`${url}/api/v2/trace/${traceId}`);
      return found.status === 200 ? await found.text() : undefined;
    };
    const found = await until('the span', ask, output);
    if (!found.includes(traceId)) throw new Error(`the trace came back as ${found}`);
    const gone = once(child, 'exit');
    child.kill('SIGTERM');
    const [code] = await gone;
    if (code !== 0) throw new Error(`the agent ended with ${code}:\n${output()}`);
  } finally {
    child.kill('SIGKILL');
  }
}

async function main(): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), 'trawl-image-'));
  try {
    // The other user must be able to reach what lies below.
    execFileSync('chmod', ['755', home]);
    const built = new Map<string, Built>();
    let last: Built | undefined;
    for (const [index, stage] of parseDockerfile(readFileSync(join(project, 'Dockerfile'), 'utf8')).entries()) {
      console.log(`== ${stage.name || 'the image'}, from ${stage.image}`);
      last = buildStage(stage, join(home, String(index)), built);
      built.set(stage.name, last);
    }
    if (last === undefined) throw new Error('the Dockerfile has no stage');
    execFileSync('chmod', ['-R', 'a-w', join(last.root, 'app'), join(last.root, 'etc')]);
    const before = contentsOf(join(last.root, 'app'));
    console.log('== the agent, as another user, from there');
    await tryAgent(last);
    const changed = contentsOf(join(last.root, 'app')).filter((line) => !before.includes(line));
    if (changed.length > 0) throw new Error(`the agent wrote where it must not: ${changed.join(', ')}`);
    console.log('the image works: a span went in and came back, and nothing was written outside the data directory');
  } finally {
    execFileSync('chmod', ['-R', 'u+w', home]);
    rmSync(home, { recursive: true, force: true });
  }
}

await main();
