/** A trace drawn for a terminal: a row a span, with its bar over the trace's time, and the critical path marked. */

import { eventOfAnnotation } from '../codec/zipkin-view.ts';
import type { Span, SpanEvent } from '../model/span.ts';
import { cutTo, fitTo, widthOf } from './cells.ts';
import { type CriticalPath, findCriticalPath, type PathSegment } from './critical-path.ts';
import type { Screen, Style } from './screen.ts';
import { createLabels, type Labels } from './span-label.ts';
import { durationText, momentText } from './time-text.ts';
import { shownId } from './trace-table.ts';
import { buildTree, serviceOf, type TraceNode, type TraceTree } from './trace-tree.ts';
import { chooseRows, type Row } from './waterfall-rows.ts';

export interface WaterfallOptions {
  readonly screen: Screen;
  /** How many spans are drawn; undefined for all. */
  readonly limit?: number | undefined;
  /** Keys of tags to print below each span, or `all` with the annotations. */
  readonly tags?: readonly string[] | 'all' | undefined;
  /** The command that draws every span, for a trace of which some are left out. */
  readonly allCommand?: string;
}

interface Picture extends WaterfallOptions {
  readonly tree: TraceTree;
  readonly path: CriticalPath;
  readonly labels: Labels;
  readonly segments: ReadonlyMap<TraceNode, readonly PathSegment[]>;
  readonly labelWidth: number;
  readonly barWidth: number;
  readonly hasErrors: boolean;
}

const durationWidth = 9;
const longestLabelShare = 0.45;
const narrowestBar = 12;
const errorWidth = 6;

/** The lines of a trace. */
export function drawTrace(spans: readonly Span[], options: WaterfallOptions): string[] {
  const tree = buildTree(spans);
  const path = findCriticalPath(tree);
  const rows = chooseRows(tree, path, options.limit);
  const picture = compose({ ...options, tree, path, labels: createLabels(spans) }, rows);
  const drawn = rows.reduce((count, row) => count + (row.kind === 'span' ? 1 : 0), 0);
  return [
    ...headLines(picture),
    '',
    ...(tree.endUs > tree.startUs ? [axisLine(picture)] : []),
    ...rows.flatMap((row) => rowLines(picture, row)),
    '',
    ...footLines(picture, drawn),
  ];
}

function compose(
  known: Omit<Picture, 'segments' | 'labelWidth' | 'barWidth' | 'hasErrors'>,
  rows: readonly Row[],
): Picture {
  const { screen, tree, path, labels } = known;
  const segments = new Map<TraceNode, PathSegment[]>();
  for (const segment of path.segments) {
    const list = segments.get(segment.node);
    if (list === undefined) segments.set(segment.node, [segment]);
    else list.push(segment);
  }
  const hasErrors = tree.nodes.some(({ span }) => span.status === 'error');
  const widthOfLabel = (row: Row) => widthOf(labelOf({ screen, labels }, row)) + moreText(row).length;
  const widest = rows.reduce((width, row) => Math.max(width, widthOfLabel(row)), 0);
  const fixed = 2 + durationWidth + (hasErrors ? errorWidth : 0);
  const most = Math.min(Math.floor(screen.width * longestLabelShare), screen.width - fixed - narrowestBar);
  const labelWidth = Math.max(8, Math.min(widest, most));
  return {
    ...known,
    segments,
    hasErrors,
    labelWidth,
    barWidth: Math.max(narrowestBar, screen.width - fixed - labelWidth),
  };
}

function headLines({ tree, screen, labels }: Picture): string[] {
  const { nodes, tops, startUs, endUs } = tree;
  const root = tops[0];
  if (root === undefined) return [];
  const services = new Set(nodes.map(({ span }) => serviceOf(span)).filter((name) => name !== ''));
  const errors = nodes.filter(({ span }) => span.status === 'error').length;
  const isTimed = nodes.some((node) => node.isTimed);
  const hasDuration = endUs > startUs || nodes.some(({ span }) => span.durationUs !== undefined);
  const counts = [
    ...(isTimed ? [hasDuration ? durationText(endUs - startUs) : 'no duration'] : []),
    counted(nodes.length, 'span'),
    counted(services.size, 'service'),
    errors === 0 ? 'no error' : counted(errors, 'error'),
  ].join(' · ');
  const name = `${screen.show(labels.service(root.span))} ${screen.show(labels.name(root.span))}`;
  const when = isTimed ? `${momentText(startUs)} UTC` : 'no span says when it began';
  const title = cutTo(name, screen.width, screen.ellipsis);
  return [screen.paint(title, 'bold'), screen.own(`${when} · ${counts}`), `trace ${shownId(root.span.traceId)}`].map(
    (line) => line.trimEnd(),
  );
}

/** An arrow for the side that calls or sends, and for the one that receives a message. */
const callText = (screen: Screen, { kind }: Span): string =>
  kind === undefined ? '' : (callMark[kind]?.[screen.isUnicode ? 0 : 1] ?? '');

/** `1 span`, `2 spans`. */
export const counted = (n: number, noun: string): string => `${n.toLocaleString('en-US')} ${noun}${n === 1 ? '' : 's'}`;

/** The times over the bars: at every quarter, or every half where there is less room. */
function axisLine({ tree, screen, labelWidth, barWidth }: Picture): string {
  const wholeUs = tree.endUs - tree.startUs;
  const parts = barWidth >= 56 ? 4 : barWidth >= 26 ? 2 : 1;
  let line = '0';
  for (let i = 1; i <= parts; i++) {
    const text = screen.own(durationText((wholeUs * i) / parts));
    const column = Math.round((barWidth * i) / parts) - (i === parts ? text.length : Math.floor(text.length / 2));
    line = line.padEnd(column) + text;
  }
  return screen.paint(`${' '.repeat(labelWidth + 2)}${line}`, 'dim');
}

function rowLines(picture: Picture, row: Row): string[] {
  const { screen, labelWidth, tree } = picture;
  if (row.kind === 'hidden') return [screen.paint(cutTo(labelOf(picture, row), screen.width, screen.ellipsis), 'dim')];
  const { node } = row;
  const isError = node.span.status === 'error';
  const isOnPath = picture.path.ownUs.has(node);
  const more = moreText(row);
  const label = fitTo(labelOf(picture, row), labelWidth - more.length, screen.ellipsis) + more;
  const mark = isOnPath ? (screen.isUnicode ? '●' : '*') : ' ';
  const duration = screen.own(durationText(node.span.durationUs)).padStart(durationWidth);
  const styles: Style[] = isError ? ['red'] : isOnPath ? ['bold'] : [];
  const bar = tree.endUs > tree.startUs && node.isTimed ? barOf(picture, node) : ' '.repeat(picture.barWidth);
  const line = `${screen.paint(label, ...styles)} ${screen.paint(mark, 'yellow')}${bar}${screen.paint(duration, ...styles)}${screen.paint(errorText(picture, node), 'red')}`;
  const below = [...exceptionLines(picture, node), ...tagLines(picture, node)];
  return [line.trimEnd(), ...indented(picture, row.guides, below)];
}

const callMark: Readonly<Record<string, readonly [string, string]>> = {
  CLIENT: ['→ ', '-> '],
  PRODUCER: ['» ', '>> '],
  CONSUMER: ['« ', '<< '],
};
const standingMark: Readonly<Record<string, string>> = { orphan: '? ', loop: '@ ' };

function labelOf({ screen, labels }: Pick<Picture, 'screen' | 'labels'>, row: Row): string {
  const guides = screen.isUnicode ? row.guides : asciiGuides(row.guides);
  if (row.kind === 'hidden') return `${guides}${screen.ellipsis} ${counted(row.count, 'span')} not shown`;
  const { span, standing } = row.node;
  return `${guides}${standingMark[standing] ?? ''}${screen.show(labels.service(span))} ${callText(screen, span)}${screen.show(labels.name(span))}`;
}

/** How many spans below it are left out, at the end of a label. */
const moreText = (row: Row): string =>
  row.kind === 'span' && row.hiddenBelow > 0 ? ` +${row.hiddenBelow.toLocaleString('en-US')}` : '';

const asciiGuides = (guides: string): string =>
  guides.replaceAll('├', '|').replaceAll('└', '`').replaceAll('─', '-').replaceAll('│', '|').replaceAll('…', '.');

/** Full blocks where the span is on the critical path, light ones where it is not; never less than a cell. */
function barOf({ tree, screen, segments, barWidth }: Picture, node: TraceNode): string {
  const perCell = (tree.endUs - tree.startUs) / barWidth;
  const cellOf = (us: number) => (us - tree.startUs) / perCell;
  const first = Math.min(barWidth - 1, Math.floor(cellOf(node.startUs)));
  const end = Math.max(first + 1, Math.min(barWidth, Math.ceil(cellOf(node.endUs) - 0.25)));
  const onPath = new Array<number>(end - first).fill(0);
  for (const segment of segments.get(node) ?? []) {
    const [from, to] = [cellOf(segment.startUs), cellOf(segment.endUs)];
    for (let cell = Math.max(first, Math.floor(from)); cell < Math.min(end, Math.ceil(to)); cell++) {
      onPath[cell - first] = (onPath[cell - first] ?? 0) + Math.min(to, cell + 1) - Math.max(from, cell);
    }
  }
  const isError = node.span.status === 'error';
  const [full, light] = screen.isUnicode ? ['█', '░'] : ['#', '-'];
  const isFull = onPath.map(
    (share, i) => share >= 0.5 * shareOfSpan(i + first, cellOf(node.startUs), cellOf(node.endUs)) && share > 0,
  );
  let bar = ' '.repeat(first);
  for (let i = 0; i < isFull.length; ) {
    let to = i + 1;
    while (to < isFull.length && isFull[to] === isFull[i]) to++;
    const text = (isFull[i] ? full : light).repeat(to - i);
    bar += screen.paint(text, isError ? 'red' : isFull[i] ? 'yellow' : 'cyan');
    i = to;
  }
  return bar + ' '.repeat(barWidth - end);
}

/** How much of a cell the span itself covers. */
const shareOfSpan = (cell: number, from: number, to: number): number =>
  Math.max(0, Math.min(to, cell + 1) - Math.max(from, cell));

/** What answered: the status that a caller saw, if the span has one. */
function errorText({ screen, hasErrors }: Picture, { span }: TraceNode): string {
  if (!hasErrors || span.status !== 'error') return '';
  const { attributes } = span;
  const status =
    attributes['http.status_code'] ?? attributes['http.response.status_code'] ?? attributes['grpc.status_code'];
  const code = status !== undefined && /^[1-9][0-9]{0,2}$/.test(status) ? ` ${status}` : '';
  return ` ${screen.isUnicode ? '✗' : '!'}${code}`;
}

/** What an exception said, which is what a reader of a failed span asks for first; where all is printed it stands among the rest. */
function exceptionLines({ screen, tags }: Picture, { span }: TraceNode): string[] {
  if (tags === 'all') return [];
  return span.events.flatMap(({ value }) => {
    const { name, attributes } = eventOfAnnotation(value);
    const said = new Map(attributes);
    const parts = [said.get('exception.type'), said.get('exception.message')].filter((part) => part !== undefined);
    return name === 'exception' && parts.length > 0 ? [screen.show(parts.join(': '))] : [];
  });
}

function tagLines(picture: Picture, node: TraceNode): string[] {
  const { screen, tags } = picture;
  const { attributes, events } = node.span;
  if (tags === undefined) return [];
  const keys = tags === 'all' ? Object.keys(attributes).sort() : tags.filter((key) => Object.hasOwn(attributes, key));
  const lines = keys.map((key) => `${screen.show(key)}=${screen.show(attributes[key] ?? '')}`);
  if (tags === 'all') for (const event of events) lines.push(...eventLines(picture, node, event));
  return lines;
}

/** An event with its attributes below it; a stack trace has a line a frame. */
function eventLines({ screen }: Picture, { startUs, shiftUs }: TraceNode, event: SpanEvent): string[] {
  const { name, attributes } = eventOfAnnotation(event.value);
  const after = screen.own(`+${durationText(event.timestampUs + shiftUs - startUs)}`);
  return [
    `${after} ${screen.show(name) || '(no name)'}`,
    ...attributes.flatMap(([key, text]) => {
      const [first = '', ...rest] = text.trimEnd().split(/\r?\n/);
      return [`  ${screen.show(key)}=${screen.show(first)}`, ...rest.map((line) => `    ${screen.show(line.trim())}`)];
    }),
  ];
}

/** Lines below a span's row. */
function indented({ screen }: Picture, guides: string, lines: readonly string[]): string[] {
  const indent = ' '.repeat(Math.min(widthOf(guides), screen.width / 2) + 2);
  return lines.map((line) =>
    screen.paint(`${indent}${cutTo(line, screen.width - indent.length, screen.ellipsis)}`, 'dim'),
  );
}

const listedOnPath = 5;

/** What the path is made of, and whatever a reader must know to believe the picture. */
function footLines(picture: Picture, drawn: number): string[] {
  const { tree, path, screen } = picture;
  const [full, light, dot] = screen.isUnicode ? ['█', '░', '●'] : ['#', '-', '*'];
  const lines: string[] = [];
  if (path.segments.length > 0) {
    lines.push(`${dot} ${full} the critical path, which the end waited for; ${light} the rest. Its longest parts:`);
    lines.push(...pathLines(picture));
  }
  const shifted = shiftNotes(tree.nodes);
  if (shifted.length > 0) {
    const list = shifted
      .map(([service, us]) => `${screen.show(service)} by ${us > 0 ? '+' : ''}${durationText(us)}`)
      .join(', ');
    lines.push(`Clocks differ; moved into their calls: ${list}`);
  }
  const counts = { orphan: 0, loop: 0, child: 0, root: 0 };
  for (const { standing } of tree.nodes) counts[standing]++;
  if (counts.orphan > 0)
    lines.push(
      `? ${counted(counts.orphan, 'span')} without the caller: not reported, sampled out, or still on the way`,
    );
  if (counts.loop > 0) lines.push(`@ ${counted(counts.loop, 'span')} called by what they call themselves`);
  const untimed = tree.nodes.filter(({ isTimed }) => !isTimed).length;
  if (untimed > 0 && untimed < tree.nodes.length) lines.push(`${counted(untimed, 'span')} without a time`);
  if (drawn < tree.nodes.length) {
    lines.push(
      `${drawn.toLocaleString('en-US')} of ${counted(tree.nodes.length, 'span')} are drawn: the path, errors, the longest; +N: N more below`,
    );
    if (picture.allCommand !== undefined) lines.push(`All of them:  ${picture.allCommand}`);
  }
  return lines.map((line) => screen.own(line));
}

function pathLines({ tree, path, screen, labels }: Picture): string[] {
  const wholeUs = Math.max(1, tree.endUs - tree.startUs);
  const parts = new Map<string, { us: number; spans: number }>();
  for (const [{ span }, us] of path.ownUs) {
    const text = `${screen.show(labels.service(span))} ${callText(screen, span)}${screen.show(labels.name(span))}`;
    const part = parts.get(text);
    if (part === undefined) parts.set(text, { us, spans: 1 });
    else {
      part.us += us;
      part.spans++;
    }
  }
  if (path.gapUs > 0) parts.set('(between spans: a queue, or spans that are missing)', { us: path.gapUs, spans: 1 });
  return [...parts]
    .filter(([, { us }]) => us / wholeUs >= 0.01)
    .sort(([, a], [, b]) => b.us - a.us)
    .slice(0, listedOnPath)
    .map(([text, { us, spans }]) => {
      const share = `${Math.round((us / wholeUs) * 100)} %`.padStart(5);
      const duration = screen.own(durationText(us)).padStart(durationWidth);
      const count = spans > 1 ? ` (${counted(spans, 'span')})` : '';
      return `  ${share} ${duration}  ${cutTo(text, screen.width - 19 - count.length, screen.ellipsis)}${count}`;
    });
}

/** Services whose spans were moved, with the largest move of each. */
function shiftNotes(nodes: readonly TraceNode[]): [string, number][] {
  const byService = new Map<string, number>();
  for (const { span, shiftUs } of nodes) {
    if (Math.abs(shiftUs) < 1_000) continue;
    const service = serviceOf(span) || '(no service)';
    const known = byService.get(service) ?? 0;
    if (Math.abs(shiftUs) > Math.abs(known)) byService.set(service, shiftUs);
  }
  return [...byService].slice(0, 5);
}
