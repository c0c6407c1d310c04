/** Traces as rows of a table. */
import type { Span } from '../model/span.ts';
import { cutTo, widthOf } from './cells.ts';
import type { Screen } from './screen.ts';
import { createLabels } from './span-label.ts';
import { durationText, momentText } from './time-text.ts';
import { buildTree, serviceOf } from './trace-tree.ts';

export interface TraceSummary {
  readonly traceId: string;
  /** 0 where no span has a time. */
  readonly startUs: number;
  readonly durationUs: number;
  readonly spans: number;
  readonly services: number;
  readonly errors: number;
  /** The service and the name of the span that nothing stands above. */
  readonly root: string;
}

/** What a table says of a trace, which has at least one span. */
export function summarize(spans: readonly Span[]): TraceSummary {
  const { nodes, tops, startUs, endUs } = buildTree(spans);
  const root = tops[0]?.span;
  const labels = createLabels(spans);
  return {
    traceId: shownId(root?.traceId ?? ''),
    startUs,
    durationUs: endUs - startUs,
    spans: nodes.length,
    services: new Set(spans.map(serviceOf).filter((name) => name !== '')).size,
    errors: nodes.filter(({ span }) => span.status === 'error').length,
    root: root === undefined ? '' : `${labels.service(root)} ${labels.name(root)}`,
  };
}

/** An id as its sender wrote it: with 16 digits where it has no more. */
export const shownId = (traceId: string): string => (traceId.startsWith('0'.repeat(16)) ? traceId.slice(16) : traceId);

const gap = '  ';
const narrowestRoot = 24;

interface Column {
  readonly title: string;
  readonly isNumber: boolean;
  text(trace: TraceSummary): string;
}

/** The lines of a table, newest first; where a line is too narrow for all of it, each trace has two. */
export function drawTable(traces: readonly TraceSummary[], screen: Screen, nowMs: number): string[] {
  const sorted = [...traces].sort((a, b) => b.startUs - a.startUs || (a.traceId < b.traceId ? -1 : 1));
  const today = new Date(nowMs).toISOString().slice(0, 10);
  const isToday = sorted.every(({ startUs }) => momentText(startUs).startsWith(today));
  const timeOf = ({ startUs }: TraceSummary) => (startUs === 0 ? '-' : momentText(startUs).slice(isToday ? 11 : 0));
  const time: Column = { title: 'time (UTC)', isNumber: false, text: timeOf };
  const id: Column = { title: 'trace id', isNumber: false, text: ({ traceId }) => traceId };
  const counts: readonly Column[] = [
    { title: 'duration', isNumber: true, text: ({ durationUs }) => screen.own(durationText(durationUs)) },
    { title: 'spans', isNumber: true, text: ({ spans }) => String(spans) },
    { title: 'services', isNumber: true, text: ({ services }) => String(services) },
    { title: 'errors', isNumber: true, text: ({ errors }) => (errors === 0 ? '-' : String(errors)) },
  ];
  const widthOfColumn = ({ title, text }: Column) =>
    sorted.reduce((width, trace) => Math.max(width, text(trace).length), title.length);
  const whole = [time, id, ...counts];
  const fixed = whole.reduce((sum, column) => sum + widthOfColumn(column) + gap.length, 0);
  const isOneLine = fixed + narrowestRoot <= screen.width;
  const columns = (isOneLine ? whole : [time, ...counts]).map((column) => ({
    ...column,
    width: widthOfColumn(column),
  }));
  const cell = (text: string, { isNumber, width }: { isNumber: boolean; width: number }) =>
    isNumber ? text.padStart(width) : text.padEnd(width);
  const room = screen.width - columns.reduce((sum, { width }) => sum + width + gap.length, 0);
  const head = [...columns.map((column) => cell(column.title, column)), 'root'].join(gap);
  return [
    screen.paint(head, 'dim'),
    ...sorted.flatMap((trace) => {
      const cells = columns.map((column) => {
        const text = cell(column.text(trace), column);
        return column.title === 'errors' && trace.errors > 0 ? screen.paint(text, 'red') : text;
      });
      const root = cutTo(screen.show(trace.root), Math.max(0, room), screen.ellipsis);
      const line = [...cells, root].join(gap).trimEnd();
      return isOneLine ? [line] : [line, `${' '.repeat(widthOf(gap))}${screen.paint(trace.traceId, 'bold')}`];
    }),
  ];
}
