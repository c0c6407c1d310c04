/** What an agent says that cannot start, or that runs out of what the machine gives it. */
import { spawnSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startAgent } from '../fixtures/agent.ts';
import {
  isRoot,
  judgeSpans,
  mainFile,
  nothingWrong,
  runTrawl,
  startBackend,
  startLoad,
  waitFor,
} from './agent-tools.ts';

// Whole agents on a machine that may be busy: what is slow is no failure.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let home: string;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'trawl-start-'));
  await chmod(home, 0o755);
});

afterAll(async () => {
  await rm(home, { recursive: true, force: true });
});

const onFreePort = ['--listen', '127.0.0.1:0'];
/** Another user, when this one may be another. */
const asNobody = isRoot ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : [];
/** A checkout under /root, say, is closed to others, and so is the program in it. */
const canRunAsOther =
  !isRoot || spawnSync(asNobody[0] ?? '', [...asNobody.slice(1), 'test', '-r', mainFile]).status === 0;
const canMount = isRoot && process.platform === 'linux';

describe('an agent that cannot start', () => {
  it.skipIf(!canRunAsOther)(
    "says in one line which directory it cannot write to and who it is, when the directory is another user's",
    async () => {
      const data = join(home, 'foreign');
      await mkdir(data, { mode: isRoot ? 0o755 : 0o500 });
      const { code, errors, output } = await runTrawl(['agent', '--data', data, ...onFreePort], { under: asNobody });
      expect(code).toBe(1);
      expect(output).toBe('');
      expect(errors.trimEnd().split('\n')).toHaveLength(1);
      expect(errors).toContain(`data directory ${data} cannot be used by uid ${isRoot ? 65_534 : process.getuid?.()}`);
      expect(errors).toContain('choose another with --data');
    },
  );

  it.skipIf(!canMount)('says the same of a file system that is read-only (needs root)', async () => {
    const data = join(home, 'read-only');
    await mkdir(data);
    expect(spawnSync('mount', ['-t', 'tmpfs', '-o', 'ro,size=1m', 'tmpfs', data]).status).toBe(0);
    try {
      const { code, errors } = await runTrawl(['agent', '--data', data, ...onFreePort]);
      expect(code).toBe(1);
      expect(errors.trimEnd().split('\n')).toHaveLength(1);
      expect(errors).toContain(`data directory ${data} cannot be used by uid 0`);
      expect(errors).toContain('EROFS');
    } finally {
      spawnSync('umount', [data]);
    }
  });

  it('says so when its data directory is a file', async () => {
    const data = join(home, 'file');
    await writeFile(data, '');
    const { code, errors } = await runTrawl(['agent', '--data', data, ...onFreePort]);
    expect(code).toBe(1);
    expect(errors.trimEnd().split('\n')).toHaveLength(1);
    expect(errors).toContain(data);
  });

  it('names a port that another program has, and lets go of everything, so that the next start finds its directory free', async () => {
    const data = join(home, 'taken');
    const other = await startBackend((_request, response) => response.end());
    try {
      for (let attempt = 0; attempt < 2; attempt++) {
        const { code, errors } = await runTrawl(['agent', '--data', data, '--listen', `127.0.0.1:${other.port}`]);
        expect(code).toBe(1);
        expect(errors.trimEnd().split('\n')).toHaveLength(1);
        expect(errors).toContain(`cannot listen on 127.0.0.1:${other.port}`);
      }
    } finally {
      await other.close();
    }
    const agent = await startAgent({ dataDirectory: data });
    await agent.remove();
  });

  it('refuses two inputs that want one path, naming the path', async () => {
    const config = join(home, 'two');
    await mkdir(config);
    await writeFile(join(config, 'a.conf'), '[[inputs.zipkin]]\n[[inputs.zipkin]]\n');
    const { code, errors } = await runTrawl(['agent', '--config', config, '--data', join(home, 'd'), ...onFreePort]);
    expect(code).toBe(1);
    expect(errors).toContain('/api/v2/spans');
  });

  it.skipIf(process.platform !== 'linux')('says that it may open too few files', async () => {
    const { code, errors } = await runTrawl(['agent', '--data', join(home, 'few'), ...onFreePort], {
      under: ['prlimit', '--nofile=40:40'],
    });
    expect(code).toBe(1);
    expect(errors).toContain('limit of open files is too low');
    expect(errors.trimEnd().split('\n')).toHaveLength(1);
  });
});

describe('an agent that runs out of file descriptors', () => {
  it.skipIf(process.platform !== 'linux')(
    'goes on serving those who are connected, says so at most once in ten seconds, and takes new ones again afterwards',
    async () => {
      const agent = await startAgent();
      const sockets: Socket[] = [];
      try {
        await agent.ready();
        const load = startLoad(agent, { senders: 2, pauseMs: 5 });
        await waitFor('load', () => load.oracle.acknowledged > 100);
        spawnSync('prlimit', ['--pid', String(agent.child.pid), '--nofile=64:64']);
        for (let i = 0; i < 100; i++) {
          const socket = connect(agent.port, '127.0.0.1');
          socket.on('error', () => undefined);
          sockets.push(socket);
        }
        await sleep(1_500);
        const before = load.answers[202] ?? 0;
        // The two senders keep their connections; a segment that cannot be opened is refused with 503, not lost.
        await sleep(1_000);
        expect(agent.child.exitCode).toBeNull();
        expect(Object.keys(load.answers).filter((status) => status === '500')).toEqual([]);
        for (const socket of sockets) socket.destroy();
        await waitFor('new answers', () => (load.answers[202] ?? 0) > before + 20);
        spawnSync('prlimit', ['--pid', String(agent.child.pid), '--nofile=4096:4096']);
        expect((await agent.get('/-/healthy')).status).toBe(200);
        await load.stop();
        await agent.ready();
        expect(await judgeSpans(agent, load)).toMatchObject(nothingWrong);
        expect(agent.output().split('could not be accepted').length - 1).toBeLessThanOrEqual(1);
      } finally {
        for (const socket of sockets) socket.destroy();
        await agent.remove();
      }
    },
  );
});
