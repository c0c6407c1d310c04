/** A range query's answer as a chart with its legend. */
import { cutTo, widthOf } from './cells.ts';
import { type ChartSeries, drawChart, symbolOf } from './chart.ts';
import { shortNumber } from './chart-axis.ts';
import { numberOf, type Series } from './promql-answer.ts';
import { differenceText, type SharedLabels, shareLabels } from './promql-labels.ts';
import { commonLine } from './promql-table.ts';
import type { Screen, Style } from './screen.ts';
import { momentText, shortDuration } from './time-text.ts';

export interface RangeChartOptions {
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
  readonly screen: Screen;
  /** Lines for all of it. */
  readonly height: number;
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

const linesLeast = 10;

/** The lines for series of which there is at least one. */
export function drawRange(series: readonly Series[], options: RangeChartOptions): string[] {
  const { screen, limit } = options;
  const shared = shareLabels(series.map(({ metric }) => metric));
  const ordered = inOrder(series.map(summarize));
  const drawn = ordered.slice(0, limit);
  const legend = drawLegend(drawn, shared, screen);
  const above = commonLine(shared, screen);
  const below = [rangeLine(options), ...notes(drawn, series.length - drawn.length, screen)];
  const height = Math.max(linesLeast, options.height - above.length - legend.length - below.length - 2);
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
  const text = `${start} ${screen.isUnicode ? '–' : '-'} ${isSameDay ? end.slice(11) : end} UTC${
    screen.width < 60 ? '' : screen.own(` · a point every ${shortDuration(stepMs * 1000)}`)
  }`;
  return screen.paint(cutTo(text, screen.width, screen.ellipsis), 'dim');
}

/** To the second; a range's ends are seldom on one. */
const shortMoment = (ms: number): string => momentText(ms * 1000).slice(0, 19);

function notes(drawn: readonly Summary[], left: number, screen: Screen): string[] {
  const all = drawn.flatMap(({ points }) => points);
  const lines: string[] = [];
  if (left > 0)
    lines.push(
      `the ${drawn.length} with the largest last values; ${left} more ${left === 1 ? 'is' : 'are'} left out (--limit)`,
    );
  const missing = drawn.reduce((sum, each) => sum + each.missing, 0);
  if (missing > 0) lines.push(`${missing} ${missing === 1 ? 'value is' : 'values are'} NaN, and a gap`);
  if (all.some(({ value }) => value === Number.POSITIVE_INFINITY)) lines.push(`${screen.isUnicode ? '↑' : '^'} +Inf`);
  if (all.some(({ value }) => value === Number.NEGATIVE_INFINITY)) lines.push(`${screen.isUnicode ? '↓' : 'v'} -Inf`);
  return lines.map((line) => screen.paint(line, 'yellow'));
}

const gap = '  ';
const narrowestLabel = 16;
const titles = ['last', 'min', 'max'] as const;

/** A line for each series; where the labels have no room beside the numbers, the numbers stand below. */
function drawLegend(drawn: readonly Summary[], shared: SharedLabels, screen: Screen): string[] {
  const rows = drawn.map(({ series, last, min, max }) => ({
    label: shared.differing.length === 0 ? '' : screen.show(differenceText(series.metric, shared.differing)),
    numbers: [last, min, max].map(shortNumber),
  }));
  const [only] = rows;
  if (rows.length === 1 && only !== undefined)
    return [
      titles
        .map((title, i) => `${screen.paint(title, 'dim')} ${screen.paint(only.numbers[i] ?? '', 'bold')}`)
        .join(gap),
    ];
  const widths = titles.map((title, i) =>
    Math.max(title.length, ...rows.map(({ numbers }) => numbers[i]?.length ?? 0)),
  );
  const symbol = (index: number) => screen.paint(symbolOf(index, screen.isUnicode), inkOf(index));
  const fixed = 2 + widths.reduce((sum, width) => sum + width + gap.length, 0);
  const longest = Math.max(...rows.map(({ label }) => widthOf(label)));
  const room = Math.min(longest, screen.width - fixed);
  const cells = (texts: readonly string[]) => texts.map((text, i) => text.padStart(widths[i] ?? 0)).join(gap);
  const isOneLine = room >= Math.min(longest, Math.max(narrowestLabel, Math.floor(screen.width / 3)));
  if (!isOneLine) {
    return rows.flatMap(({ label, numbers }, i) => [
      `${symbol(i)} ${cutTo(label, screen.width - 2, screen.ellipsis)}`,
      `${gap}${titles.map((title, at) => `${screen.paint(title, 'dim')} ${numbers[at] ?? ''}`).join(gap)}`,
    ]);
  }
  return [
    screen.paint(`${' '.repeat(room + 2)}${gap}${cells(titles)}`, 'dim'),
    ...rows.map(({ label, numbers }, i) => {
      const cut = cutTo(label, room, screen.ellipsis);
      return `${symbol(i)} ${cut}${' '.repeat(room - widthOf(cut))}${gap}${cells(numbers)}`;
    }),
  ];
}
