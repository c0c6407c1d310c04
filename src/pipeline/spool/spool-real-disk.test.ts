/** What only a real file system does: limits of the operating system, real names, real speed. */
import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../..', import.meta.url));
const spoolUrl = new URL('./open-spool.ts', import.meta.url).href;
const filesUrl = new URL('../file-system.ts', import.meta.url).href;
const nobody = 65534;

/** A process of its own that opens a spool in `directory` and runs `body`, in which `spool` and `append(text)` are at hand; what it prints last is JSON. */
const program = (directory: string, body: string) => `
  import { openSpool } from ${JSON.stringify(spoolUrl)};
  import { realFileSystem } from ${JSON.stringify(filesUrl)};
  const ignore = () => {};
  const clock = { nowMs: Date.now, monotonicMs: () => performance.now(), sleep: (ms) => new Promise((done) => setTimeout(done, ms)) };
  const signal = AbortSignal.timeout(20000);
  const open = () => openSpool({
    directory: ${JSON.stringify(directory)}, fileSystem: realFileSystem, clock, log: { info: ignore, warn: ignore, error: ignore },
    limits: { maxBytes: 1 << 30 }, whenFull: 'refuse', writer: 1, keepsPositions: false, onLoss: ignore,
  });
  const append = (spool, text) => spool.append([{ kind: 1, items: 1, bytes: Buffer.from(text) }], signal);
  const drain = async (spool) => {
    const texts = [];
    await spool.rotate();
    while (spool.stats().segments > 0) {
      const segment = await spool.nextSegment(signal);
      for await (const record of segment.records()) texts.push(record.sections[0].bytes.toString('utf8', 0, 8).trim());
      await segment.release();
    }
    return texts;
  };
  const main = async () => { ${body} };
  main().then((said) => console.log(JSON.stringify(said)), (error) => console.log(JSON.stringify({ error: error.message })));
`;

describe('a spool on a real disk', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'spool-'));
  });
  afterEach(async () => {
    await rm(directory, { recursive: true, force: true });
  });

  async function runProgram(body: string, options: { before?: string; uid?: number } = {}): Promise<unknown> {
    const script = join(directory, 'program.ts');
    await writeFile(script, program(join(directory, 'spool'), body));
    await chmod(directory, 0o755);
    const command = `${options.before ?? ':'}; exec "$0" --import tsx "$1"`;
    const uid = options.uid === undefined ? {} : { uid: options.uid, gid: options.uid };
    const { stdout } = await run('sh', ['-c', command, process.execPath, script], { cwd: root, ...uid });
    return JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
  }

  it('refuses what a file-size limit leaves no room for, goes on in the next segment, and loses nothing it kept', async () => {
    // 1,000 blocks of 512 bytes; a write that crosses the limit is cut short, the next one fails with EFBIG.
    const said = await runProgram(
      `const spool = await open();
       const kept = [], kinds = new Set();
       for (let i = 0; i < 60; i++) {
         const { kind } = await append(spool, String(i).padEnd(40000));
         kinds.add(kind);
         if (kind === 'kept') kept.push(String(i));
         else await clock.sleep(120);
       }
       await spool.close();
       const found = await drain(await open());
       return { kinds: [...kinds].sort(), isSame: found.join() === kept.join(), kept: kept.length };`,
      { before: 'ulimit -f 1000' },
    );
    expect(said).toEqual({ kinds: ['disk_full', 'kept'], isSame: true, kept: 56 });
  });

  it('says which directory it cannot use', async () => {
    // Root may write everywhere, so that the program is then somebody else.
    const uid = process.getuid?.() === 0 ? { uid: nobody } : {};
    const before = join(directory, 'spool');
    await writeFile(before, 'a file in the way');
    const said = await runProgram('await open(); return {};', uid);
    expect(said).toMatchObject({ error: expect.stringContaining(before) });
  });

  it('releases and reopens without leaving more than a header behind', async () => {
    const said = await runProgram(
      `let texts = [];
       for (let round = 0; round < 5; round++) {
         const spool = await open();
         await append(spool, 'r' + round);
         texts = texts.concat(await drain(spool));
         await spool.close();
       }
       return texts;`,
    );
    expect(said).toEqual(['r0', 'r1', 'r2', 'r3', 'r4']);
    const { stdout } = await run('sh', [
      '-c',
      'ls -l "$0" | grep -c seg; cat "$0"/*.seg | wc -c',
      join(directory, 'spool'),
    ]);
    expect(stdout.trim().split(/\s+/).map(Number)).toEqual([1, 32]);
  });
});
