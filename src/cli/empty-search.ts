/** Why a search found nothing, and what to ask instead. */
import { nearest } from '../config/did-you-mean.ts';
import type { Agent } from './agent-question.ts';
import { harmless } from './cells.ts';
import { programName } from './command.ts';
import { momentText, shortDuration } from './time-text.ts';
import { searchPath, type TraceSearch } from './trace-search.ts';

const listedNames = 10;

/** A few lines for a person: the first condition that nothing can meet, or those that could be left out. */
export async function explainNothing(search: TraceSearch, agent: Agent): Promise<string[]> {
  const services = await namesOf(agent, '/api/v2/services');
  if (services.length === 0)
    return ['no span is kept here yet', `send one:  ${programName()} send span${agent.urlOption}`];
  const { service, span, remote } = search;
  const wanted = service?.toLowerCase() ?? '';
  if (wanted !== '' && !services.includes(wanted)) {
    const line = unknownName(`no service "${harmless(wanted)}" has sent spans here`, wanted, services);
    return [`${line}; the services are: ${listOf(services)}`];
  }
  if (wanted !== '') {
    const query = `?serviceName=${encodeURIComponent(wanted)}`;
    const checks = [
      { name: span, path: `/api/v2/spans${query}`, says: 'has no span', list: 'its spans are' },
      { name: remote, path: `/api/v2/remoteServices${query}`, says: 'calls no service', list: 'it calls' },
    ];
    for (const { name, path, says, list } of checks) {
      if (name === undefined || name === '') continue;
      const names = await namesOf(agent, path);
      if (names.includes(name.toLowerCase())) continue;
      const line = unknownName(`${harmless(wanted)} ${says} "${harmless(name)}"`, name, names);
      return [names.length === 0 ? line : `${line}; ${list}: ${listOf(names)}`];
    }
  }
  return await explainConditions(search, agent);
}

async function explainConditions(search: TraceSearch, agent: Agent): Promise<string[]> {
  const finds = async (other: TraceSearch) => {
    const traces = await agent.getJson(searchPath({ ...other, limit: 1 }));
    return Array.isArray(traces) && traces.length > 0;
  };
  const { endMs, lookbackMs } = search;
  const none = { span: undefined, remote: undefined, tags: [], minUs: undefined, maxUs: undefined };
  const who =
    search.service === undefined
      ? 'there are spans here, but none began'
      : `${harmless(search.service)} has sent spans, but none began`;
  const between = `between ${momentText((endMs - lookbackMs) * 1e3)} and ${momentText(endMs * 1e3)} UTC`;
  if (!(await finds({ ...search, ...none })))
    return [`${who} ${between}`, `look further back: --last ${lookbackMs < 604_800_000 ? '7d' : '30d'}`];
  const lines = [
    `no trace ${search.service === undefined ? '' : `of ${harmless(search.service)} `}meets all of this ${between}`,
  ];
  for (const { text, without } of conditionsOf(search)) {
    if (await finds(without)) lines.push(`without ${text} there are some`);
  }
  if (lines.length === 1) lines.push('nor without any one of the conditions; leave out more of them');
  return lines;
}

/** Each condition as it was written, and the search without it. At most as many as are worth a question. */
function conditionsOf(search: TraceSearch): { text: string; without: TraceSearch }[] {
  const { span, remote, minUs, maxUs, tags } = search;
  const conditions: { text: string; without: TraceSearch }[] = [];
  if (span !== undefined)
    conditions.push({ text: `--span "${harmless(span)}"`, without: { ...search, span: undefined } });
  if (remote !== undefined)
    conditions.push({ text: `--remote "${harmless(remote)}"`, without: { ...search, remote: undefined } });
  if (minUs !== undefined)
    conditions.push({ text: `--min ${shortDuration(minUs)}`, without: { ...search, minUs: undefined } });
  if (maxUs !== undefined)
    conditions.push({ text: `--max ${shortDuration(maxUs)}`, without: { ...search, maxUs: undefined } });
  for (const tag of tags.slice(0, listedNames)) {
    const text = tag.value === undefined ? tag.key : `${tag.key}=${tag.value}`;
    conditions.push({
      text: `--tag ${harmless(text)}`,
      without: { ...search, tags: tags.filter((other) => other !== tag) },
    });
  }
  return conditions;
}

async function namesOf(agent: Agent, path: string): Promise<string[]> {
  const names = await agent.getJson(path);
  return Array.isArray(names) ? names.map(String) : [];
}

function unknownName(says: string, name: string, names: readonly string[]): string {
  const near = nearest(name, names);
  return near === undefined ? says : `${says}; did you mean "${harmless(near)}"`;
}

/** A few names, and how many more there are. */
function listOf(names: readonly string[]): string {
  const shown = names.slice(0, listedNames).map(harmless).join(', ');
  return names.length > listedNames ? `${shown} and ${names.length - listedNames} more` : shown;
}
