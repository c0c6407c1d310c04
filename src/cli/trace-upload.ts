/** Spans of a file on their way to an agent: in bodies that it takes, each of them acknowledged before the next. */
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeJsonSpans } from '../codec/otlp/encode-spans.ts';
import { type ApiAnswer, callApi } from './api-client.ts';
import { harmless } from './cells.ts';
import { ApiError } from './command.ts';
import type { TraceFile } from './trace-file.ts';

/** An agent takes 5 MiB; a smaller body is acknowledged sooner. */
const batchBytes = 1024 * 1024;
const batchSpans = 2_000;
const tries = 6;
const longestWaitMs = 10_000;
const usualWaitMs = 500;

export interface Upload {
  readonly url: string;
  readonly token?: string | undefined;
  /** Told before each wait for an agent that asked for one. */
  readonly onWait?: (line: string) => void;
}

export interface Uploaded {
  /** Acknowledged by the agent. */
  readonly kept: number;
  /** Spans that the agent did not take, with the reason for the first. */
  readonly refused: number;
  readonly reason: string;
}

interface UploadBatch {
  readonly path: string;
  readonly body: string;
  readonly count: number;
}

/** Sends a file's spans. Throws an ApiError that says how far it came. */
export async function uploadSpans(file: TraceFile, upload: Upload): Promise<Uploaded> {
  let kept = 0;
  let { refused, reason } = file;
  for (const batch of batchesOf(file)) {
    let answer: ApiAnswer;
    try {
      answer = await sendBatch(batch, upload);
    } catch (error) {
      if (!(error instanceof ApiError) || kept === 0) throw error;
      throw new ApiError(`${error.message}; ${kept} of ${file.spans.length} spans were kept before`, { cause: error });
    }
    const partial = partialSuccessOf(answer.text);
    kept += batch.count - partial.refused;
    refused += partial.refused;
    if (reason === '') ({ reason } = partial);
  }
  return { kept, refused, reason };
}

/** Zipkin's spans go to Zipkin's route as they are written; all others as OTLP, which has a place for whatever the model has. */
function* batchesOf(file: TraceFile): Generator<UploadBatch> {
  if (file.texts !== undefined) {
    const path = file.format === 'Zipkin v1 JSON' ? '/api/v1/spans' : '/api/v2/spans';
    for (const texts of split(file.texts, (text) => Buffer.byteLength(text)))
      yield { path, body: `[${texts.join(',')}]`, count: texts.length };
    return;
  }
  for (const spans of split(file.spans, () => 0)) {
    const body = encodeJsonSpans(spans);
    if (Buffer.byteLength(body) <= batchBytes || spans.length === 1)
      yield { path: '/v1/traces', body, count: spans.length };
    else {
      const parts = Math.ceil(Buffer.byteLength(body) / batchBytes) * 2;
      const size = Math.max(1, Math.floor(spans.length / parts));
      for (let i = 0; i < spans.length; i += size) {
        const part = spans.slice(i, i + size);
        yield { path: '/v1/traces', body: encodeJsonSpans(part), count: part.length };
      }
    }
  }
}

/** Runs of items within the limits; an item that is too large alone is a run, and the agent's to refuse. */
function* split<Item>(items: readonly Item[], sizeOf: (item: Item) => number): Generator<Item[]> {
  let run: Item[] = [];
  let bytes = 0;
  for (const item of items) {
    const size = sizeOf(item) + 1;
    if (run.length > 0 && (run.length >= batchSpans || bytes + size > batchBytes)) {
      yield run;
      run = [];
      bytes = 0;
    }
    run.push(item);
    bytes += size;
  }
  if (run.length > 0) yield run;
}

/** One body, again while the agent says that it is busy. */
async function sendBatch({ path, body, count }: UploadBatch, { url, token, onWait }: Upload): Promise<ApiAnswer> {
  for (let attempt = 1; ; attempt++) {
    const answer = await callApi(url, { method: 'POST', path, body, token });
    if (answer.status >= 200 && answer.status < 300) return answer;
    const isBusy = answer.status === 429 || answer.status === 503;
    if (!isBusy || attempt === tries) throw new ApiError(refusalOf(answer, path, count));
    const waitMs = Math.min(longestWaitMs, answer.retryAfterMs ?? usualWaitMs * 2 ** (attempt - 1));
    onWait?.(`the agent is busy (${answer.status}); trying again in ${(waitMs / 1000).toFixed(1)} s`);
    await sleep(waitMs);
  }
}

function refusalOf({ status, text }: ApiAnswer, path: string, count: number): string {
  const said = harmless(text.trim().slice(0, 1_000));
  if (status === 404)
    return `${path} is not there (404); is an agent listening, and is this input switched on in conf.d?`;
  if (status === 413) return `a body of ${count} spans is too large for the agent (413): ${said}`;
  return `the agent answered ${status}: ${said}`;
}

function partialSuccessOf(text: string): { refused: number; reason: string } {
  let json: unknown;
  try {
    json = JSON.parse(text || '{}');
  } catch {
    // Zipkin's answer has no body, or what somebody in between put there.
    return { refused: 0, reason: '' };
  }
  const partial =
    typeof json === 'object' && json !== null && 'partialSuccess' in json ? json.partialSuccess : undefined;
  if (typeof partial !== 'object' || partial === null) return { refused: 0, reason: '' };
  const refused = 'rejectedSpans' in partial ? Number(partial.rejectedSpans) : 0;
  const reason = 'errorMessage' in partial ? String(partial.errorMessage) : '';
  return { refused: Number.isSafeInteger(refused) ? refused : 0, reason };
}
