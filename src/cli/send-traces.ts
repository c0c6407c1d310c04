/** `trawl send traces FILE…`: brings along what was saved elsewhere. */
import { createReadStream } from 'node:fs';
import { CodecError } from '../codec/codec-error.ts';
import type { Span } from '../model/span.ts';
import { errorCode } from '../pipeline/file-system.ts';
import { callApi, defaultAgentUrl } from './api-client.ts';
import { harmless } from './cells.ts';
import { ApiError, type Arguments, type Command, programName, type Terminal } from './command.ts';
import { momentText } from './time-text.ts';
import { fileLimitBytes, readTraceFile } from './trace-file.ts';
import { shownId } from './trace-table.ts';
import { serviceOf } from './trace-tree.ts';
import { uploadSpans } from './trace-upload.ts';
import { counted } from './waterfall.ts';

export const sendTraces: Command = {
  name: 'send traces',
  summary:
    'Sends files of traces to an agent: Zipkin v1 and v2 JSON, what Jaeger\'s UI saves, OTLP JSON; "-" is standard input.',
  positionals: ['FILE…'],
  options: {
    url: { type: 'string', value: 'URL', description: `The agent (default ${defaultAgentUrl}).` },
    token: {
      type: 'string',
      value: 'TOKEN',
      description: 'The query token, where the agent asks for one (or TRAWL_TOKEN).',
    },
    check: { type: 'boolean', description: 'Only reads the files and says what is in them.' },
  },
  example: 'trawl send traces checkout-slow.json',
  async run(args, terminal) {
    let exitCode = 0;
    const sent: Span[] = [];
    for (const name of args.positionals) {
      try {
        sent.push(...(await sendFile(name, args, terminal)));
      } catch (error) {
        if (!(error instanceof CodecError) && !(error instanceof ApiError)) throw error;
        terminal.error(`${shownName(name)}: ${harmless(error.message)}`);
        exitCode = 1;
      }
    }
    if (sent.length > 0) for (const line of await whereToLook(sent, args, terminal)) terminal.out(line);
    return exitCode;
  },
};

const shownName = (name: string): string => (name === '-' ? 'standard input' : harmless(name));

/** Sends one file; resolves to the spans that the agent keeps. */
async function sendFile(name: string, args: Arguments, terminal: Terminal): Promise<readonly Span[]> {
  const file = readTraceFile(await readAll(name, terminal));
  const what = (count: number) => `${counted(count, 'span')} of ${counted(traceIdsOf(file.spans).size, 'trace')}`;
  if (args.isSet('check')) {
    terminal.out(`${shownName(name)}: ${what(file.spans.length)} in ${file.format}`);
    if (file.refused > 0)
      terminal.error(`${shownName(name)}: ${counted(file.refused, 'span')} would be refused: ${harmless(file.reason)}`);
    return [];
  }
  const { kept, refused, reason } = await uploadSpans(file, {
    url: args.text('url') ?? defaultAgentUrl,
    token: args.text('token') ?? terminal.environment['TRAWL_TOKEN'],
    onWait: (line) => terminal.error(line),
  });
  terminal.out(`${shownName(name)}: kept ${what(kept)} (${file.format})`);
  if (refused > 0) throw new ApiError(`${counted(refused, 'span')} refused: ${reason}`);
  return kept === 0 ? [] : file.spans;
}

async function readAll(name: string, terminal: Terminal): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  try {
    for await (const chunk of name === '-' ? (terminal.input?.() ?? []) : createReadStream(name)) {
      const bytes: Uint8Array = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
      sizeBytes += bytes.length;
      if (sizeBytes > fileLimitBytes)
        throw new ApiError(`larger than ${fileLimitBytes / 1024 / 1024} MiB; split it into several files`);
      chunks.push(bytes);
    }
  } catch (cause) {
    if (cause instanceof ApiError) throw cause;
    const code = errorCode(cause);
    const reason =
      code === 'ENOENT' ? 'there is no such file' : code === 'EISDIR' ? 'it is a directory' : code || String(cause);
    throw new ApiError(`cannot be read: ${reason}`, { cause });
  }
  return Buffer.concat(chunks);
}

const traceIdsOf = (spans: readonly Span[]): Set<string> => new Set(spans.map(({ traceId }) => traceId));

/** The command that shows what was sent, and a warning where an agent has thrown it away because it is too old. */
async function whereToLook(spans: readonly Span[], args: Arguments, terminal: Terminal): Promise<string[]> {
  const url = args.text('url') ?? defaultAgentUrl;
  const urlOption = url === defaultAgentUrl ? '' : ` --url ${url}`;
  const ids = [...traceIdsOf(spans)].map(shownId);
  const starts = spans.flatMap(({ startUs }) => (startUs === undefined ? [] : [startUs]));
  const firstUs = starts.reduce((least, us) => Math.min(least, us), Number.POSITIVE_INFINITY);
  const token = args.text('token') ?? terminal.environment['TRAWL_TOKEN'];
  const answer = await callApi(url, { method: 'GET', path: `/api/v2/trace/${ids[0]}`, token });
  if (answer.status === 404) {
    const when = Number.isFinite(firstUs) ? `; its first span is of ${momentText(firstUs)} UTC` : '';
    terminal.error(
      `trace ${ids[0]} is not to be found afterwards${when}: spans older than the store's retention are not kept ([store] retention)`,
    );
    if (ids.length === 1) return [];
  }
  if (ids.length === 1) return [`look at it:  ${programName()} query trace ${ids[0]}${urlOption}`];
  const roots = new Set(spans.filter(({ parentId }) => parentId === undefined).map(serviceOf));
  const [service = ''] = roots.size === 1 ? roots : [];
  const since = Number.isFinite(firstUs)
    ? ` --since ${new Date(Math.floor(firstUs / 1e6) * 1e3).toISOString().replace('.000Z', '')}`
    : '';
  const by = service === '' ? '' : ` --service '${harmless(service).replaceAll("'", '')}'`;
  return [`look at them:  ${programName()} query traces${by}${since} --limit ${ids.length}${urlOption}`];
}
