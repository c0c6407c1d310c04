/** The objects in a manifest, read so that a long or a hostile one delays nobody else. */
import { Worker } from 'node:worker_threads';
import type { Clock } from '../../pipeline/component.ts';
import { documentsOf, type Located, ManifestError } from './documents.ts';

export interface ReadOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

export const readLimits = {
  /** Longer ones get a thread of their own: the worst YAML of this length blocks for 0.2 s, one of 60 KiB for 3. */
  inPlaceYamlLength: 16 * 1024,
  inPlaceJsonLength: 512 * 1024,
  timeoutMs: 10_000,
  memoryMiB: 128,
} as const;

interface Answer {
  readonly documents?: readonly Located[];
  readonly message?: string;
  readonly line?: number;
}

/** Reads all objects. Rejects with a `ManifestError` at the first thing that is wrong, and when it takes too long. */
export async function readDocuments(text: string, isJson: boolean, options: ReadOptions): Promise<readonly Located[]> {
  const inPlace = isJson ? readLimits.inPlaceJsonLength : readLimits.inPlaceYamlLength;
  if (text.length <= inPlace) return documentsOf(text, isJson);
  const { documents, message = 'cannot be read', line = 0 } = await readInThread(text, isJson, options);
  if (documents === undefined) throw new ManifestError(message, line);
  return documents;
}

function startWorker(text: string, isJson: boolean): Worker {
  const options = { workerData: { text, isJson }, resourceLimits: { maxOldGenerationSizeMb: readLimits.memoryMiB } };
  if (!import.meta.url.endsWith('.ts')) return new Worker(new URL('./documents-worker.js', import.meta.url), options);
  // Where nothing is built, as in tests, a thread has to be taught TypeScript first: it does not inherit that.
  const url = new URL('./documents-worker.ts', import.meta.url).href;
  const script = `import('tsx/esm/api').then(({ tsImport }) => tsImport('${url}', '${url}'))`;
  return new Worker(script, { ...options, eval: true });
}

async function readInThread(text: string, isJson: boolean, { clock, signal }: ReadOptions): Promise<Answer> {
  const worker = startWorker(text, isJson);
  const timer = new AbortController();
  const end = () => timer.abort(signal.reason);
  signal.addEventListener('abort', end, { once: true });
  const timeout = clock.sleep(readLimits.timeoutMs, timer.signal).then((): Answer => {
    const seconds = readLimits.timeoutMs / 1000;
    return { message: `takes more than ${seconds} s to read; is it nested or aliased without end?`, line: 0 };
  });
  try {
    return await Promise.race([timeout, answerOf(worker)]);
  } finally {
    signal.removeEventListener('abort', end);
    timer.abort();
    // Its rejection is the timer's end, which is meant.
    timeout.catch(() => {});
    await worker.terminate();
  }
}

function answerOf(worker: Worker): Promise<Answer> {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', (error) => {
      const isMemory = error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
      if (isMemory) resolve({ message: `takes more than ${readLimits.memoryMiB} MiB to read`, line: 0 });
      else reject(error);
    });
    worker.once('exit', () => resolve({ message: 'ended without an answer', line: 0 }));
  });
}
