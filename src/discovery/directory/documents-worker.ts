/** Reads a manifest in a thread of its own, which can be ended. */
import { parentPort, workerData } from 'node:worker_threads';
import { documentsOf, ManifestError } from './documents.ts';

const { text, isJson }: { text: string; isJson: boolean } = workerData;

try {
  parentPort?.postMessage({ documents: documentsOf(text, isJson) });
} catch (error) {
  const line = error instanceof ManifestError ? error.line : 0;
  parentPort?.postMessage({ message: error instanceof Error ? error.message : String(error), line });
}
