import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const fileName = 'scrape-phase';

const codeOf = (error: unknown) => (error instanceof Error && 'code' in error ? error.code : undefined);

/**
 * This agent's own random number, drawn once and kept in its data directory, so that its scrapes keep their places within the interval over
 * restarts while replicas take others.
 */
export async function readAgentNumber(dataDirectory: string): Promise<string> {
  const path = join(dataDirectory, fileName);
  await mkdir(dataDirectory, { recursive: true });
  const drawn = randomBytes(8).toString('hex');
  try {
    await writeFile(path, `${drawn}\n`, { flag: 'wx' });
    return drawn;
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
  const kept = (await readFile(path, 'utf8')).trim();
  if (/^[0-9a-f]{16}$/.test(kept)) return kept;
  // A crash between creating and writing leaves an empty file.
  await writeFile(`${path}.${drawn}`, `${drawn}\n`);
  await rename(`${path}.${drawn}`, path);
  return drawn;
}
