/** Why a query has an empty answer, and what to ask instead. */
import { nearest } from '../config/did-you-mean.ts';
import type { Agent } from './agent-question.ts';
import { harmless } from './cells.ts';
import { programName } from './command.ts';
import { numberOf, readAnswer, textsOf } from './promql-answer.ts';
import { type SelectorText, selectorsOf } from './promql-selectors.ts';
import type { QueryTimes } from './promql-times.ts';
import { durationText, momentText } from './time-text.ts';

const listedNames = 8;
/** So many selectors of one query are asked about. */
const mostSelectors = 4;
const lookBackMs = 86_400_000;
/** For so long a sample counts at moments after it. */
const instantWindowMs = 300_000;

interface Empty {
  readonly query: string;
  readonly times: QueryTimes;
  readonly agent: Agent;
}

/** A few lines for a person; the first selector that explains it. */
export async function explainEmpty({ query, times, agent }: Empty): Promise<string[]> {
  const nothing = `no series ${timesText(times)}`;
  const names = await listOf(agent, '/api/v1/label/__name__/values');
  if (names === undefined) return [nothing];
  if (names.length === 0) {
    return [
      `${nothing}: no metric is kept here yet`,
      `what is scraped, and how that goes:  ${programName()} targets${agent.urlOption}`,
    ];
  }
  const selectors = selectorsOf(query).slice(0, mostSelectors);
  for (const { name } of selectors) {
    if (name !== undefined && !names.includes(name)) return [nothing, ...unknownMetric(name, names)];
  }
  for (const selector of selectors) {
    if (await hasSamples(agent, selector, times)) continue;
    const why = await explainSelector(selector, times, agent);
    return [nothing, ...why];
  }
  if (/^\s*absent(?:_over_time)?\s*\(/.test(query))
    return [nothing, 'absent() answers 1 where there is nothing, and here is something'];
  return [
    nothing,
    'what it selects has samples then, but nothing is left of them: a comparison that none meets, sides of an operator with no labels alike, a window with too few samples, or an offset to a time without any',
    'ask for its parts one by one',
  ];
}

const timesText = (times: QueryTimes): string =>
  times.kind === 'instant'
    ? `at ${moment(times.timeMs)} UTC`
    : `from ${moment(times.startMs)} to ${moment(times.endMs)} UTC`;

const moment = (ms: number): string => momentText(ms * 1000).slice(0, 19);

async function listOf(agent: Agent, path: string): Promise<string[] | undefined> {
  const { status, text } = await agent.get(path);
  if (status !== 200) return undefined;
  try {
    return textsOf(JSON.parse(text).data);
  } catch {
    // The query was answered already: without this, its answer is merely not explained.
    return undefined;
  }
}

/** Names that somebody may have meant: near ones, and those with a part in common. */
export function similarNames(name: string, names: readonly string[]): string[] {
  const near = nearest(name, names);
  const wanted = name.toLowerCase();
  const parts = wanted.split(/[_:.]+/).filter((part) => part.length > 2);
  const score = (other: string): number => {
    const text = other.toLowerCase();
    if (text.includes(wanted) || wanted.includes(text)) return parts.length + 1;
    const otherParts = text.split(/[_:.]+/);
    return parts.filter((part) => otherParts.includes(part)).length;
  };
  const least = Math.max(1, Math.ceil(parts.length / 2));
  const alike = names
    .map((other) => ({ other, score: score(other) }))
    .filter((each) => each.score >= least)
    .sort((a, b) => b.score - a.score)
    .map(({ other }) => other);
  return [...new Set([...(near === undefined ? [] : [near]), ...alike])].slice(0, listedNames);
}

function unknownMetric(name: string, names: readonly string[]): string[] {
  const similar = similarNames(name, names);
  const says = `no metric is named ${harmless(name)}`;
  if (similar.length > 0) return [`${says}; similar names: ${similar.map(harmless).join(', ')}`];
  return [`${says}; there are ${names.length}, such as ${names.slice(0, listedNames).map(harmless).join(', ')}`];
}

const encode = encodeURIComponent;

/** When, in milliseconds, a selector has series; undefined where the agent cannot say. */
async function timesOf(agent: Agent, path: string): Promise<number[] | undefined> {
  const { status, text } = await agent.get(path);
  const answer = status === 200 ? readAnswer(text) : undefined;
  if (answer?.ok !== true || !('series' in answer.data)) return undefined;
  return answer.data.series.flatMap(({ samples }) => samples.map(({ timeMs }) => timeMs));
}

const rangePath = (selector: SelectorText, startMs: number, endMs: number, stepMs: number): string =>
  `/api/v1/query_range?query=${encode(`count(${selector.text})`)}&start=${startMs / 1000}&end=${endMs / 1000}&step=${stepMs / 1000}`;

async function hasSamples(agent: Agent, selector: SelectorText, times: QueryTimes): Promise<boolean> {
  const path =
    times.kind === 'instant'
      ? `/api/v1/query?query=${encode(`count(${selector.text})`)}&time=${times.timeMs / 1000}`
      : rangePath(selector, times.startMs, times.endMs, times.stepMs);
  const found = await timesOf(agent, path);
  // Where nothing is known, nothing is claimed.
  return found === undefined || found.length > 0;
}

async function explainSelector(selector: SelectorText, times: QueryTimes, agent: Agent): Promise<string[]> {
  const { name, text } = selector;
  const series = await listOf(agent, `/api/v1/series?match[]=${encode(text)}&limit=1`);
  if (series?.length === 0) return [await explainMatchers(selector, agent)];
  const shown = harmless(name ?? text);
  const last = await lastSample(agent, selector, times);
  if (last === 'unknown') return [`${shown} has no sample then; when it had one last cannot be said`];
  if (last === undefined)
    return [`${shown} has no sample then, nor in the 24 hours before; its series are from another time`];
  return [
    `${shown} ${endText(last, times)}`,
    `ask for it with --time ${last.at}, or see how it went with --range 1h --end ${last.at}`,
  ];
}

interface LastSample {
  readonly timeMs: number;
  /** As `--time` takes it. */
  readonly at: string;
}

/** The newest sample, staleness markers aside, of the day before; looks a short way back first, which costs the store less. */
async function lastSample(
  agent: Agent,
  { text }: SelectorText,
  times: QueryTimes,
): Promise<LastSample | undefined | 'unknown'> {
  const [untilMs, spanMs] = times.kind === 'instant' ? [times.timeMs, 0] : [times.endMs, times.endMs - times.startMs];
  for (const windowMs of [spanMs + instantWindowMs, spanMs + 3_600_000, spanMs + lookBackMs]) {
    const query = `max(ts_of_last_over_time(${text}[${windowMs}ms]))`;
    const answered = await agent.get(`/api/v1/query?query=${encode(query)}&time=${untilMs / 1000}`);
    const answer = answered.status === 200 ? readAnswer(answered.text) : undefined;
    if (answer?.ok !== true || !('series' in answer.data)) return 'unknown';
    const value = answer.data.series[0]?.samples[0]?.text;
    if (value === undefined) continue;
    const timeMs = Math.round(numberOf(value) * 1000);
    return { timeMs, at: new Date(timeMs).toISOString().replace(/(?:\.000)?Z$/, '') };
  }
  return undefined;
}

/** A sample counts for five minutes, unless its series ended: that it is newer and was not taken says so. */
function endText({ timeMs }: LastSample, times: QueryTimes): string {
  const when = `${moment(timeMs)} UTC`;
  const before = (ms: number): string => durationText((ms - timeMs) * 1000);
  if (times.kind === 'range') {
    if (timeMs >= times.startMs)
      return `ended in this range before the next point of it: its last sample is of ${when}`;
    const isEnded = timeMs > times.startMs - instantWindowMs;
    return isEnded
      ? `ended before this range: its last sample is of ${when}, ${before(times.startMs)} before its start`
      : `has no sample in this range; its last one is of ${when}, ${before(times.startMs)} before its start`;
  }
  return timeMs > times.timeMs - instantWindowMs
    ? `ended: its last sample is of ${when}, ${before(times.timeMs)} earlier, and it is marked as gone since: its target stopped showing it, did not answer or went away`
    : `has no sample in the 5 minutes before; its last one is of ${when}, ${before(times.timeMs)} earlier`;
}

/** Which matcher nothing meets. */
async function explainMatchers({ name, text, equals }: SelectorText, agent: Agent): Promise<string> {
  const match = name === undefined ? '' : `?match[]=${encode(`{__name__=${JSON.stringify(name)}}`)}`;
  const of = name === undefined ? 'no series' : `no series of ${harmless(name)}`;
  for (const { label, value } of equals) {
    const values = await listOf(agent, `/api/v1/label/${encode(label)}/values${match}`);
    if (values === undefined || values.includes(value)) continue;
    if (values.length === 0) {
      const labels = (await listOf(agent, `/api/v1/labels${match}`)) ?? [];
      return `${of} has a label ${harmless(label)}; its labels are: ${few(labels.filter((each) => each !== '__name__'))}`;
    }
    const near = nearest(value, values);
    const meant = near === undefined ? '' : `; did you mean ${JSON.stringify(harmless(near))}`;
    return `${of} has ${harmless(label)}=${harmless(JSON.stringify(value))}${meant}; its values are: ${few(values)}`;
  }
  return `${of} meets all of ${harmless(text.slice(text.indexOf('{')))}`;
}

function few(names: readonly string[]): string {
  const shown = names.slice(0, listedNames).map(harmless).join(', ');
  return names.length > listedNames ? `${shown} and ${names.length - listedNames} more` : shown;
}
