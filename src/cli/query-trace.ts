/** `trawl query trace ID`: one trace as a picture, as JSON, or as a file for other viewers. */
import { CodecError } from '../codec/codec-error.ts';
import { decodeSpans } from '../codec/zipkin-v2-json/decode-spans.ts';
import type { Span } from '../model/span.ts';
import { agentOf, countOf, questionOptions } from './agent-question.ts';
import { defaultAgentUrl, expectSuccess } from './api-client.ts';
import { harmless } from './cells.ts';
import { ApiError, type Arguments, type Command, programName, type Terminal, UsageError } from './command.ts';
import { screenOf } from './screen.ts';
import { downloadTrace, traceFormats } from './trace-download.ts';
import { drawTrace } from './waterfall.ts';

const usualRows = 200;

export const queryTrace: Command = {
  name: 'query trace',
  summary: 'Draws a trace: who called whom, when, for how long, and what the end waited for.',
  positionals: ['TRACE_ID'],
  options: {
    tags: {
      type: 'string',
      value: 'KEY,…',
      multiple: true,
      description: 'Prints these tags below each span; "all" prints every tag and annotation.',
    },
    all: { type: 'boolean', description: `Draws every span of a trace that has more than ${usualRows}.` },
    width: { type: 'string', value: 'COLUMNS', description: 'How wide to draw (default: the terminal; 80 elsewhere).' },
    json: { type: 'boolean', description: 'Prints the spans as a list in Zipkin v2 JSON instead.' },
    format: {
      type: 'string',
      value: 'FORMAT',
      description: `Prints the trace as a file of ${traceFormats.join(', ')} instead.`,
    },
    out: { type: 'string', value: 'FILE', description: 'Writes that to a new file (default format: zipkin).' },
    ...questionOptions,
  },
  example: 'trawl query trace 463ac35c9f6413ad48485a3953bb6124 --tags http.status_code,error',
  async run(args, terminal) {
    const id = args.positionals[0]?.trim() ?? '';
    const format = formatOf(args);
    const file = args.text('out');
    const agent = agentOf(args, terminal);
    if (format !== undefined || file !== undefined)
      return await downloadTrace({ id, format: format ?? 'zipkin', file, agent, terminal });
    const answer = await agent.get(`/api/v2/trace/${encodeURIComponent(id)}`);
    if (answer.status === 404) {
      terminal.error(
        `no trace ${harmless(id)} is kept here; was it sent to this agent, and within the store's retention?`,
      );
      terminal.error(`the newest traces:  ${programName()} query traces${agent.urlOption}`);
      return 1;
    }
    const text = expectSuccess(answer);
    if (args.isSet('json')) terminal.out(text);
    else draw(text, args, terminal, `${programName()} query trace ${id} --all${agent.urlOption}`);
    return 0;
  },
};

function formatOf(args: Arguments) {
  const text = args.text('format');
  const format = traceFormats.find((name) => name === text);
  if (text !== undefined && format === undefined)
    throw new UsageError(`--format ${harmless(text)} is none of ${traceFormats.join(', ')}`);
  return format;
}

function decodeAnswer(text: string, url: string): readonly Span[] {
  try {
    return decodeSpans(Buffer.from(text));
  } catch (cause) {
    if (!(cause instanceof CodecError)) throw cause;
    throw new ApiError(`${url} does not answer as an agent does: ${harmless(text.slice(0, 200))}`, { cause });
  }
}

function draw(text: string, args: Arguments, terminal: Terminal, allCommand: string): void {
  const keys = args.texts('tags').flatMap((list) => list.split(',').filter((key) => key !== ''));
  const lines = drawTrace(decodeAnswer(text, args.text('url') ?? defaultAgentUrl), {
    screen: screenOf(terminal, countOf(args, 'width', 1)),
    limit: args.isSet('all') ? undefined : usualRows,
    tags: keys.length === 0 ? undefined : keys.includes('all') ? 'all' : keys,
    allCommand,
  });
  for (const line of lines) terminal.out(line);
}
