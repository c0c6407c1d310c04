/** A range query's answer as a chart with its legend. */
import { cutTo, widthOf } from './cells.ts';
import { type ChartSeries, drawChart, symbolOf } from './chart.ts';
import { shortNumber } from './chart-axis.ts';
import { type Metric, numberOf, type Series } from './promql-answer.ts';
import { metricText, type SharedLabels, shareLabels } from './promql-labels.ts';
import { type Column, columnOf, commonLine, labelColumns, tableLine, widthOfColumns } from './promql-table.ts';
import type { Screen, Style } from './screen.ts';
import { momentText, shortDuration } from './time-text.ts';

export interface RangeChartOptions {
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
  readonly screen: Screen;
  /** How many lines all of it may take; where nobody looks on, the chart alone has its usual height. */
  readonly height: number | undefined;
  /** How many series are drawn. */
  readonly limit: number;
}

const inks: readonly Style[] = ['cyan', 'yellow', 'green', 'magenta', 'blue', 'red'];
const inkOf = (series: number): Style => inks[series % inks.length] ?? 'cyan';

/** What the legend says of a series. */
interface Summary {
  readonly points: ChartSeries;
  readonly series: Series;
  readonly last: number;
  readonly min: number;
  readonly max: number;
  readonly missing: number;
}

function summarize(series: Series): Summary {
  const points = series.samples.map(({ timeMs, text }) => ({ timeMs, value: numberOf(text) }));
  let min = Number.NaN;
  let max = Number.NaN;
  let missing = 0;
  for (const { value } of points) {
    if (Number.isNaN(value)) missing++;
    else {
      min = Number.isNaN(min) ? value : Math.min(min, value);
      max = Number.isNaN(max) ? value : Math.max(max, value);
    }
  }
  return { points, series, last: points.at(-1)?.value ?? Number.NaN, min, max, missing };
}

/** The largest last value first; NaN is less than any. */
function inOrder(summaries: readonly Summary[]): Summary[] {
  const rank = ({ last }: Summary) => (Number.isNaN(last) ? Number.NEGATIVE_INFINITY : last);
  return [...summaries].sort((a, b) => {
    const [left, right] = [rank(a), rank(b)];
    return left === right ? 0 : left > right ? -1 : 1;
  });
}

const usualLines = 20;
const fewestLines = 10;

/** The lines for series of which there is at least one. */
export function drawRange(series: readonly Series[], options: RangeChartOptions): string[] {
  const { screen, limit } = options;
  const shared = shareLabels(series.map(({ metric }) => metric));
  const ordered = inOrder(series.map(summarize));
  const drawn = ordered.slice(0, limit);
  const legend = drawLegend(drawn, shared, options);
  const above = commonLine(shared, screen);
  const below = [rangeLine(options), ...notes(drawn, series.length - drawn.length, screen)];
  const others = above.length + below.length + 1 + legend.length;
  const height = options.height === undefined ? usualLines : Math.max(fewestLines, options.height - others);
  const chart = drawChart(
    drawn.map(({ points }) => points),
    {
      startMs: options.startMs,
      endMs: options.endMs,
      stepMs: options.stepMs,
      width: screen.width,
      height,
      isUnicode: screen.isUnicode,
      paint: (text, index) => screen.paint(text, inkOf(index)),
      paintAxis: (text) => screen.paint(text, 'dim'),
    },
  );
  return [...above, ...chart, ...below, '', ...legend];
}

function rangeLine({ startMs, endMs, stepMs, screen }: RangeChartOptions): string {
  const start = shortMoment(startMs);
  const end = shortMoment(endMs);
  const isSameDay = start.slice(0, 10) === end.slice(0, 10);
  const text = `${start} ${screen.isUnicode ? '–' : '-'} ${isSameDay ? end.slice(11) : end} UTC`;
  const step = screen.own(` · a point every ${shortDuration(stepMs * 1000)}`);
  if (widthOf(text + step) <= screen.width) return screen.paint(text + step, 'dim');
  return screen.paint(cutTo(text, screen.width, screen.ellipsis), 'dim');
}

/** To the second; a range's ends are seldom on one. */
const shortMoment = (ms: number): string => momentText(ms * 1000).slice(0, 19);

function notes(drawn: readonly Summary[], left: number, screen: Screen): string[] {
  const all = drawn.flatMap(({ points }) => points);
  const lines: string[] = [];
  if (left > 0)
    lines.push(
      `the ${drawn.length} with the largest last values; ${left} more ${left === 1 ? 'is' : 'are'} left out (--limit ${drawn.length + left})`,
    );
  const missing = drawn.reduce((sum, each) => sum + each.missing, 0);
  if (missing > 0) lines.push(`${missing} ${missing === 1 ? 'value is' : 'values are'} NaN, and a gap`);
  if (all.some(({ value }) => value === Number.POSITIVE_INFINITY)) lines.push(`${screen.isUnicode ? '↑' : '^'} +Inf`);
  if (all.some(({ value }) => value === Number.NEGATIVE_INFINITY)) lines.push(`${screen.isUnicode ? '↓' : 'v'} -Inf`);
  return lines.map((line) => screen.paint(line, 'yellow'));
}

const gap = '  ';
const narrowestLabels = 12;
const titles = ['last', 'min', 'max'] as const;

/** A line for each series; where its labels have no room beside the numbers, the numbers stand below. */
function drawLegend(
  drawn: readonly Summary[],
  shared: SharedLabels,
  { screen, endMs, stepMs }: RangeChartOptions,
): string[] {
  const numbers = titles.map((title) =>
    columnOf(
      title,
      drawn.map((each) => shortNumber(each[title])),
      true,
    ),
  );
  const ends = drawn.map(({ points }) => {
    const lastMs = points.at(-1)?.timeMs ?? endMs;
    return lastMs >= endMs - 1.5 * stepMs ? '' : `until ${shortMoment(lastMs).slice(11)}`;
  });
  const numbersBelow = (row: number) =>
    [...numbers.map(({ title, texts }) => `${screen.paint(title, 'dim')} ${texts[row] ?? ''}`), ends[row] ?? '']
      .join(gap)
      .trimEnd();
  if (drawn.length === 1) return [numbersBelow(0)];
  const metrics = drawn.map(({ series }) => series.metric);
  const labels = labelColumns(metrics, shared.differing, screen);
  const right = ends.some((text) => text !== '') ? [...numbers, columnOf('', ends)] : numbers;
  const left = cutWidest(labels, screen.width - widthOfColumns(right) - 2 * gap.length);
  const symbol = (row: number) => screen.paint(symbolOf(row, screen.isUnicode), inkOf(row));
  if (left === undefined) {
    const room = screen.width - gap.length;
    const cut = cutWidest(labels, room);
    const text = (metric: Metric) => cutTo(screen.show(metricText(metric, shared.differing)), room, screen.ellipsis);
    return metrics.flatMap((metric, row) => [
      `${symbol(row)} ${cut === undefined ? text(metric) : tableLine(cut, screen, row)}`,
      `${gap}${numbersBelow(row)}`,
    ]);
  }
  const columns = [...left, ...right];
  return [
    screen.paint(`${gap}${tableLine(columns, screen)}`, 'dim'),
    ...drawn.map((_, row) => `${symbol(row)} ${tableLine(columns, screen, row)}`),
  ];
}

/** The columns within so many cells, the widest cut first; undefined where they would say too little. */
function cutWidest(columns: readonly Column[], room: number): readonly Column[] | undefined {
  let cut = [...columns];
  while (widthOfColumns(cut) > room) {
    const widest = Math.max(...cut.map(({ width }) => width));
    if (widest <= narrowestLabels) return undefined;
    const at = cut.findIndex(({ width }) => width === widest);
    cut = cut.map((column, i) => (i === at ? { ...column, width: widest - 1 } : column));
  }
  return cut;
}
