/** `trawl query promql QUERY`: metrics as a table, or over a range as a chart. */
import { agentOf, countOf, questionOptions } from './agent-question.ts';
import type { ApiAnswer } from './api-client.ts';
import { expectSuccess } from './api-client.ts';
import { harmless } from './cells.ts';
import { ApiError, type Arguments, type Command, type Terminal } from './command.ts';
import { memberText } from './json-list.ts';
import { plainJson } from './plain-text.ts';
import { type QueryAnswer, type QueryData, readAnswer } from './promql-answer.ts';
import { drawRange } from './promql-chart.ts';
import { explainEmpty } from './promql-empty.ts';
import { explainRefusal } from './promql-error.ts';
import { drawPlan, readPlan } from './promql-plan.ts';
import { readQueryText } from './promql-source.ts';
import { drawData } from './promql-table.ts';
import { type QueryTimes, readTimes } from './promql-times.ts';
import { type Screen, screenOf } from './screen.ts';

const usualLimit = 10;
const mostRows = 36;
/** The prompt and the line that was typed. */
const keptRows = 2;
/** About the cells that an axis takes. */
const axisColumns = 8;

export const queryPromql: Command = {
  name: 'query promql',
  summary:
    'Answers a query in PromQL: a table of the series at one moment, or a chart of them over a range. QUERY may be @FILE, or "-" for standard input.',
  positionals: ['QUERY'],
  options: {
    time: {
      type: 'string',
      value: 'TIME',
      description: 'At this moment: 2026-11-21T14:00 (UTC), or 1h for an hour ago (default now).',
    },
    range: { type: 'string', value: 'DURATION', description: 'Draws the range of this length until --end, e.g. 1h.' },
    start: { type: 'string', value: 'TIME', description: 'Draws the range that begins then.' },
    end: { type: 'string', value: 'TIME', description: 'The end of the range (default now).' },
    step: {
      type: 'string',
      value: 'DURATION',
      description: 'From one point of the range to the next (default: what the chart has room for).',
    },
    limit: { type: 'string', value: 'COUNT', description: `How many series a chart draws (default ${usualLimit}).` },
    width: {
      type: 'string',
      value: 'COLUMNS',
      description: 'How wide to draw (default: the terminal; elsewhere 80 for a chart, no limit for a table).',
    },
    explain: {
      type: 'boolean',
      description:
        "Tells how the query is answered, in place of its answer: what the store's engine computes, and what each part takes.",
    },
    json: { type: 'boolean', description: "Prints the answer's data instead, in Prometheus' JSON as it came." },
    ...questionOptions,
  },
  example: `trawl query promql 'sum by (code) (rate(http_requests_total[5m]))' --range 1h`,
  async run(args, terminal) {
    const limit = countOf(args, 'limit', 1) ?? usualLimit;
    const width = chartWidth(args, terminal);
    const times = readTimes(args, Date.now(), 2 * (screenOf(terminal, width).width - axisColumns));
    const query = await readQueryText(args.positionals[0] ?? '', terminal);
    const isWhole = times.kind === 'instant' && terminal.isTty !== true && args.text('width') === undefined;
    const screen = screenOf(terminal, isWhole ? Number.MAX_SAFE_INTEGER : width);
    const agent = agentOf(args, terminal);
    if (args.isSet('explain')) {
      return await explainQuery({ query, times, agent, terminal, screen, isJson: args.isSet('json') });
    }
    const answered = await agent.get(pathOf(query, times));
    const answer = answerOf(answered, agent.url);
    if (!answer.ok) {
      const context = { query, url: agent.url, screen: screenOf(terminal, width) };
      for (const line of explainRefusal(answer, context)) terminal.error(line);
      return 1;
    }
    if (args.isSet('json')) terminal.out(jsonFor(terminal, memberText(answered.text, 'data') ?? ''));
    const isEmpty = 'series' in answer.data && answer.data.series.length === 0;
    if (!isEmpty && !args.isSet('json')) {
      for (const line of draw(answer.data, { times, screen, limit, height: heightOf(terminal) })) terminal.out(line);
    }
    for (const line of isEmpty ? await explainEmpty({ query, times, agent }) : []) terminal.error(line);
    for (const line of remarks(answer, screen)) terminal.error(line);
    return isEmpty ? 1 : 0;
  },
};

/** What the person asked for, or the terminal says; the environment where it is no terminal. */
function chartWidth(args: Arguments, terminal: Terminal): number | undefined {
  const columns = Number(terminal.environment['COLUMNS']);
  const ofEnvironment = terminal.isTty !== true && Number.isSafeInteger(columns) && columns > 0 ? columns : undefined;
  return countOf(args, 'width', 1) ?? ofEnvironment;
}

const heightOf = ({ isTty, rows }: Terminal): number | undefined =>
  isTty === true && rows !== undefined ? Math.min(rows - keptRows, mostRows) : undefined;

interface Explaining {
  readonly query: string;
  readonly times: QueryTimes;
  readonly agent: ReturnType<typeof agentOf>;
  readonly terminal: Terminal;
  readonly screen: Screen;
  readonly isJson: boolean;
}

async function explainQuery({ query, times, agent, terminal, screen, isJson }: Explaining): Promise<number> {
  const answered = await agent.get(`/api/trawl/promql/explain?${parametersOf(query, times)}`);
  const refusal = readAnswer(answered.text);
  if (refusal?.ok === false) {
    for (const line of explainRefusal(refusal, { query, url: agent.url, screen })) terminal.error(line);
    return 1;
  }
  const plan = readPlan(answered.text);
  if (plan === undefined) {
    if (answered.status === 414 || answered.status === 431)
      throw new ApiError('the query is too long to be explained; it can be asked');
    const text = answered.status === 404 ? 'it answers 404' : harmless(expectSuccess(answered).slice(0, 200));
    throw new ApiError(`${agent.url} cannot explain queries (${text}); is it an older agent?`);
  }
  for (const line of isJson ? [jsonFor(terminal, answered.text.trim())] : drawPlan(plan, screen)) terminal.out(line);
  return 0;
}

function parametersOf(query: string, times: QueryTimes): URLSearchParams {
  const parameters = new URLSearchParams({ query });
  if (times.kind === 'instant') parameters.set('time', String(times.timeMs / 1000));
  else {
    parameters.set('start', String(times.startMs / 1000));
    parameters.set('end', String(times.endMs / 1000));
    parameters.set('step', String(times.stepMs / 1000));
  }
  return parameters;
}

const pathOf = (query: string, times: QueryTimes): string =>
  `/api/v1/${times.kind === 'instant' ? 'query' : 'query_range'}?${parametersOf(query, times)}`;

function answerOf(answered: ApiAnswer, url: string): QueryAnswer {
  const answer = readAnswer(answered.text);
  if (answer !== undefined) return answer;
  if (answered.status === 404)
    throw new ApiError(
      `${url} knows no PromQL (it answers 404 to /api/v1/query); is it an agent, and not an older one?`,
    );
  if (answered.status === 413 || answered.status === 414 || answered.status === 431)
    throw new ApiError(`the query is longer than ${url} takes it here`);
  const text = expectSuccess(answered);
  throw new ApiError(`${url} does not answer as an agent does: ${harmless(text.slice(0, 200))}`);
}

/** The API's bytes for programs; a terminal is spared what it would obey, in other words of JSON. */
const jsonFor = ({ isTty }: Terminal, json: string): string => (isTty === true ? plainJson(json) : json);

interface Drawing {
  readonly times: QueryTimes;
  readonly screen: Screen;
  readonly limit: number;
  readonly height: number | undefined;
}

function draw(data: QueryData, { times, screen, limit, height }: Drawing): string[] {
  if (times.kind === 'instant' || data.kind !== 'matrix') return drawData(data, screen);
  const { startMs, endMs, stepMs } = times;
  return drawRange(data.series, { startMs, endMs, stepMs, screen, height, limit });
}

function remarks({ warnings, infos }: QueryAnswer & { readonly ok: true }, screen: Screen): string[] {
  return [
    ...warnings.map((text) => `${screen.paint('warning', 'yellow')}: ${screen.show(text)}`),
    ...infos.map((text) => `${screen.paint('info', 'cyan')}: ${screen.show(text)}`),
  ];
}
