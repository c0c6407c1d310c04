/** Somebody who follows a document: a directory with the program in it, a running agent, and a shell. */
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startAgent, type TestAgent } from '../fixtures/agent.ts';
import { root } from './blocks.ts';

export interface ShellResult {
  readonly exitCode: number;
  /** Both streams, as a terminal shows them. */
  readonly output: string;
}

export interface Reader {
  readonly agent: TestAgent;
  /** The document's text as it is true for this reader: the agent has another port here. */
  translate(text: string): string;
  /** Runs a block in the reader's directory. */
  run(text: string): Promise<ShellResult>;
  leave(): Promise<void>;
}

/** Each command of a cluster's tools starts a program anew: on a busy machine a block of them takes a while. */
export const blockTimeoutMs = 60_000;

/**
 * The commands that do not end by themselves, or that would speak to the default port, are replaced by functions of these names: that,
 * and the port, is all that differs between a document and what is run.
 */
const preamble = `
run_agent() {
  node dist/main.js agent "$@" --listen 127.0.0.1:0 > agent.out 2>&1 &
  local pid=$!
  for _ in $(seq 100); do grep -q 'takes data in' agent.out && break; sleep 0.1; done
  grep 'takes data in' agent.out || cat agent.out
  kill -TERM $pid
  wait $pid
}
cluster_tool() { node --import "$TSX" "$CLUSTER_TOOLS" "$@"; }
kubectl() { cluster_tool kubectl "$@"; }
docker() { cluster_tool docker "$@"; }
openssl() { cluster_tool openssl "$@"; }
`;

/** Has the variables that a block sets known in the blocks after it, as in the one shell that a person types them into. */
function keeping(text: string): string {
  const names = [...text.matchAll(/^([A-Z][A-Z_]*)=/gm)].map(([, name]) => name);
  const kept = names.length === 0 ? '' : `trap 'declare -p ${names.join(' ')} >> variables.sh' EXIT`;
  return `touch variables.sh\n. ./variables.sh\n${kept}`;
}

async function shippedFiles(directory = 'conf.d'): Promise<Record<string, string>> {
  const names = await readdir(join(root, directory), { recursive: true });
  const files = names.filter((name) => name.endsWith('.conf'));
  const texts = files.map(async (name) => [name, await readFile(join(root, directory, name), 'utf8')]);
  return Object.fromEntries(await Promise.all(texts));
}

/** Starts an agent on the shipped configuration, in a directory that looks like a checkout. */
export async function startReader(): Promise<Reader> {
  const directory = await mkdtemp(join(tmpdir(), 'trawl-reader-'));
  // The agent's own files are linked, so that an edited conf.d/ is the one it reloads.
  const agent = await startAgent({ files: await shippedFiles() });
  await symlink(join(root, 'dist'), join(directory, 'dist'));
  for (const name of ['docs', 'deploy', 'Dockerfile']) await symlink(join(root, name), join(directory, name));
  await symlink(agent.configDirectory, join(directory, 'conf.d'));
  await symlink(agent.dataDirectory, join(directory, 'data'));
  await cp(join(root, 'package.json'), join(directory, 'package.json'));
  await mkdir(join(directory, 'home'));
  // Its progress bar would stand among the answers, since nobody looks on.
  await writeFile(join(directory, 'home', '.curlrc'), 'silent\nshow-error\n');
  await writeFile(join(directory, 'preamble.sh'), preamble);
  await agent.ready();
  const translate = (text: string) => text.replaceAll(/127\.0\.0\.1:(9529|9411)\b/g, `127.0.0.1:${agent.port}`);
  const commandsOf = (text: string) =>
    translate(text)
      .replaceAll(/^node dist\/main\.js agent(?!.*--help)/gm, 'run_agent')
      .replaceAll(
        /node dist\/main\.js (query (?:traces?|promql)|send span|send traces|targets|why pod)\b(?!.*--(help|url))/g,
        `$& --url ${agent.url}`,
      );
  return {
    agent,
    translate,
    run: (text) =>
      new Promise((resolve) => {
        const script = `. ./preamble.sh\n${keeping(text)}\nset -e -o pipefail\nexec 2>&1\n${commandsOf(text)}`;
        const environment = {
          PATH: process.env['PATH'],
          HOME: join(directory, 'home'),
          LANG: 'C.UTF-8',
          TSX: import.meta.resolve('tsx'),
          CLUSTER_TOOLS: join(root, 'test/docs/cluster-tools.ts'),
        };
        const options = { cwd: directory, timeout: blockTimeoutMs, env: environment };
        execFile('bash', ['-c', script], options, (error, stdout, stderr) => {
          const exitCode = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
          resolve({ exitCode, output: stdout + stderr });
        });
      }),
    async leave() {
      await agent.remove();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
