/** `GET /api/v2/traces` and `GET /api/v2/traceMany`: several traces, each whole and as it came. */
import type { Span } from '../../model/span.ts';
import { ResultLimitError } from '../../store/readers/limits.ts';
import type { SearchEnd, TraceSearch } from '../../store/readers/trace-search.ts';
import { textAnswer } from '../failure.ts';
import type { QueryRequest, QueryResponse } from '../query-route.ts';
import { json } from './answer.ts';
import { encodeTrace } from './encode-trace.ts';
import { planSearch } from './plan.ts';
import { parseTraceId } from './trace-id.ts';
import { matchesTrace, parseTraceQuery } from './trace-query.ts';

/** `searchTraces` and `tracesByIds` of the store's readers, bound to a client. */
export interface SearchSource {
  search(
    search: TraceSearch,
    options: {
      readonly limit: number;
      readonly take: (trace: readonly Span[]) => boolean | Promise<boolean>;
      readonly signal: AbortSignal;
    },
  ): Promise<SearchEnd>;
  /** `ids` have 32 digits each. */
  tracesByIds(ids: readonly string[], signal: AbortSignal): Promise<readonly (readonly Span[])[]>;
}

/** More than this is not held for one answer. */
const maxAnswerBytes = 64 * 1024 * 1024;

const openBracket = Buffer.from('[');
const comma = Buffer.from(',');

/** Collects traces as JSON, so that their spans need not be kept. */
function createBody() {
  const parts: Buffer[] = [];
  let sizeBytes = 2;
  return {
    add(trace: Buffer): void {
      sizeBytes += trace.length + 1;
      if (sizeBytes > maxAnswerBytes) {
        throw new ResultLimitError(
          'answer_bytes',
          `the traces found are more than ${maxAnswerBytes} bytes; ask for fewer`,
        );
      }
      parts.push(parts.length === 0 ? openBracket : comma, trace);
    },
    end: (): Buffer => (parts.length === 0 ? Buffer.from('[]') : Buffer.concat([...parts, Buffer.from(']')])),
  };
}

/** Says in a header what Zipkin's answer has no place for. */
const incompleteHeader = (reason: string) => ({
  'x-trawl-incomplete': reason.replaceAll(/[^\x20-\x7e]+/g, ' ').slice(0, 300),
});

export async function answerTraces(
  { traces, nowMs }: { readonly traces: SearchSource; readonly nowMs: () => number },
  { query, signal }: QueryRequest,
): Promise<QueryResponse> {
  const parsed = parseTraceQuery(query, { nowMs: nowMs() });
  if (parsed.kind === 'malformed') return textAnswer(400, parsed.message);
  const body = createBody();
  const { incomplete } = await traces.search(planSearch(parsed.query), {
    limit: parsed.query.limit,
    signal,
    async take(trace) {
      if (!matchesTrace(parsed.query, trace)) return false;
      body.add(await encodeTrace(trace, signal));
      return true;
    },
  });
  return json(body.end(), incomplete === undefined ? undefined : incompleteHeader(incomplete));
}

const maxIds = 500;

export async function answerTraceMany(traces: SearchSource, { query, signal }: QueryRequest): Promise<QueryResponse> {
  const ids = parseTraceIds(query.get('traceIds'));
  if (ids.kind === 'malformed') return textAnswer(400, ids.message);
  const body = createBody();
  const found = await traces.tracesByIds(
    ids.texts.map((id) => id.padStart(32, '0')),
    signal,
  );
  for (const trace of found) body.add(await encodeTrace(trace, signal));
  return json(body.end());
}

type ParsedIds =
  | { readonly kind: 'ids'; readonly texts: readonly string[] }
  | { readonly kind: 'malformed'; readonly message: string };

const malformed = (message: string): ParsedIds => ({ kind: 'malformed', message });

function parseTraceIds(text: string | null): ParsedIds {
  if (text === null) return malformed('traceIds is missing: give it as ?traceIds=a,b');
  if (text === '') return malformed('traceIds parameter is empty');
  const parts = text.split(',');
  if (parts.length === 1) return malformed('Use /api/v2/trace/{traceId} endpoint to retrieve a single trace');
  if (parts.length > maxIds) return malformed(`${parts.length} traceIds are more than ${maxIds}; ask in parts`);
  const texts = new Set<string>();
  for (const part of parts) {
    // Unlike in a path, blanks around an id are not trimmed.
    if (/\s/.test(part)) {
      return malformed(`${part} should be lower-hex encoded with no prefix`);
    }
    const id = parseTraceId(part);
    if (id.kind === 'malformed') return id;
    if (texts.has(id.text)) return malformed(`redundant traceId: ${part}`);
    texts.add(id.text);
  }
  return { kind: 'ids', texts: [...texts] };
}
