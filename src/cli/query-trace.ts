import { decodeSpans } from '../codec/zipkin-v2-json/decode-spans.ts';
import type { Span } from '../model/span.ts';
import { callApi, defaultAgentUrl, expectSuccess } from './api-client.ts';
import type { Command } from './command.ts';
import { plain } from './plain-text.ts';

const durationText = (us: number | undefined): string =>
  us === undefined
    ? '-'
    : us < 1000
      ? `${us} µs`
      : us < 1_000_000
        ? `${(us / 1000).toFixed(1)} ms`
        : `${(us / 1e6).toFixed(2)} s`;

/** Spans in the order of a tree: each after its parent, siblings by start. A span whose parent is not there stands at the top. */
function treeOf(spans: readonly Span[]): { span: Span; depth: number }[] {
  // A server's half of a shared span hangs below the client's half, which has the same id.
  const keyOf = (span: Span) => (span.shared ? `${span.id}/shared` : span.id);
  const keys = new Set(spans.map(keyOf));
  const parentOf = (span: Span): string | undefined => {
    if (span.shared && keys.has(span.id)) return span.id;
    const { parentId } = span;
    if (parentId === undefined) return undefined;
    return keys.has(parentId) ? parentId : keys.has(`${parentId}/shared`) ? `${parentId}/shared` : undefined;
  };
  const children = new Map<string | undefined, Span[]>();
  for (const span of spans) {
    const parent = parentOf(span);
    const siblings = children.get(parent);
    if (siblings === undefined) children.set(parent, [span]);
    else siblings.push(span);
  }
  for (const siblings of children.values()) siblings.sort((a, b) => (a.startUs ?? 0) - (b.startUs ?? 0));
  const ordered: { span: Span; depth: number }[] = [];
  const seen = new Set<Span>();
  const walk = (top: readonly Span[]) => {
    const open = top.map((span) => ({ span, depth: 0 })).reverse();
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (seen.has(next.span)) continue;
      seen.add(next.span);
      ordered.push(next);
      const { depth } = next;
      open.push(...(children.get(keyOf(next.span)) ?? []).map((span) => ({ span, depth: depth + 1 })).reverse());
    }
  };
  walk(children.get(undefined) ?? []);
  // Spans that are each other's parents have no top.
  for (const span of spans) if (!seen.has(span)) walk([span]);
  return ordered;
}

/** A trace as lines for a terminal. */
export function traceLines(spans: readonly Span[]): string[] {
  const rows = treeOf(spans).map(({ span, depth }) => [
    `${'  '.repeat(Math.min(depth, 40))}${plain(span.localEndpoint?.serviceName ?? '(no service)')}`,
    plain(span.name || '(no name)'),
    span.kind?.toLowerCase() ?? '-',
    durationText(span.durationUs),
    span.status === 'error' ? 'error' : '',
  ]);
  const head = ['service', 'span', 'kind', 'duration', ''];
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  return [head, ...rows].map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

/** `trawl query trace ID`. */
export const queryTrace: Command = {
  name: 'query trace',
  summary: 'Shows a trace as a tree of its spans.',
  positionals: ['TRACE_ID'],
  options: {
    url: { type: 'string', value: 'URL', description: `The agent (default ${defaultAgentUrl}).` },
    token: {
      type: 'string',
      value: 'TOKEN',
      description: 'The query token, where the agent asks for one (or TRAWL_TOKEN).',
    },
    json: { type: 'boolean', description: 'Prints the spans as Zipkin v2 JSON.' },
  },
  example: 'trawl query trace 463ac35c9f6413ad48485a3953bb6124',
  async run(args, terminal) {
    const id = args.positionals[0] ?? '';
    const token = args.text('token') ?? terminal.environment['TRAWL_TOKEN'];
    const answer = await callApi(args.text('url') ?? defaultAgentUrl, {
      method: 'GET',
      path: `/api/v2/trace/${encodeURIComponent(id)}`,
      token,
    });
    if (answer.status === 404) {
      terminal.error(
        `no trace ${plain(id)} is kept here; was it sent to this agent, and within the store's retention?`,
      );
      return 1;
    }
    const text = expectSuccess(answer);
    if (args.isSet('json')) terminal.out(text);
    else for (const line of traceLines(decodeSpans(Buffer.from(text)))) terminal.out(line);
    return 0;
  },
};
