/** Prometheus as a peer of benches: started on a directory, taking remote write. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../test/fixtures/free-port.ts';

export interface PrometheusServer {
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Starts the program at `path` on the data of `directory`; the caller removes that. */
export async function startPrometheus(path: string, directory: string): Promise<PrometheusServer> {
  await mkdir(directory, { recursive: true });
  const port = await freePort();
  const file = join(directory, 'prometheus.yml');
  await writeFile(file, 'global: {}\n');
  const child = spawn(
    path,
    [
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(directory, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--web.enable-remote-write-receiver',
      '--log.level=error',
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  const url = `http://127.0.0.1:${port}`;
  const deadline = performance.now() + 60_000;
  for (;;) {
    const isReady = await fetch(`${url}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isReady) break;
    if (child.exitCode !== null || performance.now() > deadline) throw new Error(`${path} did not start`);
    await sleep(50);
  }
  return {
    url,
    pid: child.pid ?? 0,
    async stop() {
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
    },
  };
}
