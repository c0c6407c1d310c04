/** Bodies that a backend refused for good, with its reason: a ring of two files, so that whoever asks what was lost can look. */
import { join } from 'node:path';
import type { EncodedBody } from '../component.ts';
import { type FileSystem, writeAll } from '../file-system.ts';
import { createMutex } from '../spool/mutex.ts';

const defaultMaxBytes = 64 * 1024 * 1024;

export interface DeadLetters {
  /** Adds a line; it is not synced, for the loss is counted already. */
  add(body: EncodedBody, why: string, nowMs: number): Promise<void>;
}

/** Makes a ring in `directory`, which is made with the first letter: `current.ndjson` and, when that is half of `maxBytes`, `previous.ndjson`. */
export function createDeadLetters(options: {
  readonly files: FileSystem;
  readonly directory: string;
  readonly maxBytes?: number;
}): DeadLetters {
  const { files, directory, maxBytes = defaultMaxBytes } = options;
  const oneByOne = createMutex();
  const current = join(directory, 'current.ndjson');
  return {
    add: (body, why, nowMs) =>
      oneByOne(async () => {
        const line = Buffer.from(`${JSON.stringify(letter(body, why, nowMs))}\n`, 'utf8');
        await files.makeDirectory(directory);
        let sizeBytes = (await files.info(current))?.sizeBytes;
        if (sizeBytes !== undefined && sizeBytes + line.byteLength > maxBytes / 2) {
          await files.rename(current, join(directory, 'previous.ndjson'));
          sizeBytes = undefined;
        }
        if (line.byteLength > maxBytes / 2) return;
        const file = await files.open(current, sizeBytes === undefined ? 'create' : 'write');
        try {
          await writeAll(file, [line], sizeBytes ?? 0);
        } finally {
          await file.close();
        }
      }),
  };
}

function letter({ bytes, items }: EncodedBody, why: string, nowMs: number): Record<string, unknown> {
  const head = { time: new Date(nowMs).toISOString(), why, items };
  try {
    return { ...head, body: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch {
    // It is no text.
    return { ...head, bodyBase64: Buffer.from(bytes).toString('base64') };
  }
}
