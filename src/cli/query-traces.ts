/** `trawl query traces`: which traces there are, newest first. */
import { CodecError } from '../codec/codec-error.ts';
import { decodeSpans } from '../codec/zipkin-v2-json/decode-spans.ts';
import type { Span } from '../model/span.ts';
import { agentOf, countOf, questionOptions } from './agent-question.ts';
import { type ApiAnswer, expectSuccess } from './api-client.ts';
import { harmless } from './cells.ts';
import { ApiError, type Arguments, type Command, programName, UsageError } from './command.ts';
import { explainNothing } from './empty-search.ts';
import { JsonListError, listElements } from './json-list.ts';
import { screenOf } from './screen.ts';
import { parseDurationUs, parseMomentMs } from './time-text.ts';
import { type SearchTag, searchPath, type TraceSearch } from './trace-search.ts';
import { drawTable, summarize } from './trace-table.ts';

const usualLimit = 20;
const usualLookbackMs = 86_400_000;

export const queryTraces: Command = {
  name: 'query traces',
  summary: 'Lists the newest traces that meet every condition; each may be met by another span of the service.',
  positionals: [],
  options: {
    service: { type: 'string', value: 'NAME', description: 'A service that took part.' },
    span: { type: 'string', value: 'NAME', description: 'The name of a span.' },
    remote: { type: 'string', value: 'NAME', description: 'A service that was called, as the caller names it.' },
    min: { type: 'string', value: 'DURATION', description: 'A span took at least this long, e.g. 200ms, 1.5s.' },
    max: { type: 'string', value: 'DURATION', description: 'A span took at most this long.' },
    tag: {
      type: 'string',
      value: 'KEY[=VALUE]',
      multiple: true,
      description: 'A tag with this value, or any tag or annotation KEY; may be repeated.',
    },
    since: {
      type: 'string',
      value: 'TIME',
      description: 'Began after: 2026-11-21T14:00 (UTC), or 1h ago (default 24h).',
    },
    last: { type: 'string', value: 'DURATION', description: 'The same as --since with a duration.' },
    until: { type: 'string', value: 'TIME', description: 'Began before: a time as for --since (default now).' },
    limit: { type: 'string', value: 'COUNT', description: `How many traces (default ${usualLimit}).` },
    width: {
      type: 'string',
      value: 'COLUMNS',
      description: 'How wide to draw (default: the terminal; no limit elsewhere).',
    },
    json: { type: 'boolean', description: 'Prints whole traces as a list of lists of Zipkin v2 spans instead.' },
    ...questionOptions,
  },
  example: 'trawl query traces --service reviews --min 200ms --tag error',
  async run(args, terminal) {
    const nowMs = Date.now();
    const search = readSearch(args, nowMs);
    const width = countOf(args, 'width', 1);
    const agent = agentOf(args, terminal);
    const text = searchAnswer(await agent.get(searchPath(search)));
    const traces = decodeAnswer(text, agent.url);
    const found = traces.filter((spans) => spans.length > 0).map(summarize);
    if (args.isSet('json')) terminal.out(text.trim());
    if (found.length === 0) {
      for (const line of await explainNothing(search, agent)) terminal.error(line);
      return 1;
    }
    if (args.isSet('json')) return 0;
    const isWhole = terminal.isTty !== true && width === undefined;
    const screen = screenOf(terminal, isWhole ? Number.MAX_SAFE_INTEGER : width);
    for (const line of drawTable(found, screen, nowMs)) terminal.out(line);
    if (terminal.isTty !== true) return 0;
    const more = found.length === search.limit ? `The newest ${search.limit}; --limit shows more. ` : '';
    terminal.out('');
    terminal.out(`${more}Look at one:  ${programName()} query trace TRACE_ID${agent.urlOption}`);
    return 0;
  },
};

/** The traces of an answer; an ApiError where something else than an agent answered. */
function decodeAnswer(text: string, url: string): Span[][] {
  try {
    return listElements(text).map((trace) => decodeSpans(Buffer.from(trace)));
  } catch (cause) {
    if (!(cause instanceof JsonListError) && !(cause instanceof CodecError)) throw cause;
    throw new ApiError(`${url} does not answer as an agent does: ${harmless(text.slice(0, 200))}`, { cause });
  }
}

function searchAnswer(answer: ApiAnswer): string {
  if (answer.status === 404)
    throw new ApiError('this agent cannot search for traces (it answers 404 to /api/v2/traces); is it a newer one?');
  return expectSuccess(answer);
}

/** Reads what is looked for. Throws a UsageError. */
export function readSearch(args: Arguments, nowMs: number): TraceSearch {
  const minUs = durationOf(args, 'min');
  const maxUs = durationOf(args, 'max');
  if (minUs !== undefined && maxUs !== undefined && maxUs < minUs)
    throw new UsageError(`--max ${args.text('max')} is less than --min ${args.text('min')}`);
  if (args.text('last') !== undefined && args.text('since') !== undefined)
    throw new UsageError('--last and --since say the same; one of them is enough');
  if (args.text('last') !== undefined) durationOf(args, 'last');
  const endMs = momentOf(args, 'until', nowMs) ?? nowMs;
  const startMs = momentOf(args, args.text('last') === undefined ? 'since' : 'last', nowMs) ?? endMs - usualLookbackMs;
  if (startMs >= endMs) throw new UsageError('the time that --since or --last names is not before --until, or now');
  return {
    service: args.text('service'),
    span: args.text('span'),
    remote: args.text('remote'),
    tags: tagsOf(args),
    minUs,
    maxUs,
    endMs,
    lookbackMs: endMs - startMs,
    limit: countOf(args, 'limit', 1) ?? usualLimit,
  };
}

function durationOf(args: Arguments, name: string): number | undefined {
  const text = args.text(name);
  if (text === undefined) return undefined;
  const us = parseDurationUs(text);
  if (us === undefined || us < 1)
    throw new UsageError(`--${name} ${harmless(text)} is no duration; write it as 200ms, 1.5s or 1h`);
  return us;
}

function momentOf(args: Arguments, name: string, nowMs: number): number | undefined {
  const text = args.text(name);
  if (text === undefined) return undefined;
  const ms = parseMomentMs(text, nowMs);
  if (ms === undefined)
    throw new UsageError(
      `--${name} ${harmless(text)} is no time; write it as 2026-11-21T14:00 (UTC), or as 1h for an hour ago`,
    );
  return ms;
}

function tagsOf(args: Arguments): readonly SearchTag[] {
  const tags = args.texts('tag').map(tagOf);
  const keys = tags.map(({ key }) => key);
  const twice = keys.find((key, i) => keys.indexOf(key) !== i);
  if (twice !== undefined)
    throw new UsageError(`--tag ${harmless(twice)} is there twice; a search takes one value of a key`);
  return tags;
}

function tagOf(text: string): SearchTag {
  const at = text.indexOf('=');
  const key = (at < 0 ? text : text.slice(0, at)).trim();
  const value = at < 0 ? undefined : text.slice(at + 1);
  if (key === '') throw new UsageError(`--tag ${harmless(text)} has no key; write it as KEY or KEY=VALUE`);
  // The query language of Zipkin's API has no quotes.
  if (/ and /.test(` ${text} `))
    throw new UsageError(`--tag ${harmless(text)}: texts with " and " cannot be searched for`);
  return { key, value };
}
