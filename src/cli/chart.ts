/** Series over time as a chart of characters. Pure: what it draws depends on its arguments alone. */
import { timeTicks, type ValueAxis, valueAxis } from './chart-axis.ts';
import { brailleOf, type Canvas, createCanvas, dotsOfBraille } from './chart-canvas.ts';

export interface ChartPoint {
  readonly timeMs: number;
  /** NaN leaves a gap; an infinite value is an arrow at the edge. */
  readonly value: number;
}

/** In the order of time. */
export type ChartSeries = readonly ChartPoint[];

export interface ChartOptions {
  readonly startMs: number;
  readonly endMs: number;
  /** Points further from each other than this are not joined. */
  readonly stepMs: number;
  /** Of the whole picture, axes included. */
  readonly width: number;
  /** At most so many lines, axes included. */
  readonly height: number;
  /** Braille and symbols; otherwise ASCII. */
  readonly isUnicode: boolean;
  /** Colours what belongs to a series, by its index. */
  paint(text: string, series: number): string;
  /** Colours the axes. */
  paintAxis(text: string): string;
}

const symbols = { unicode: '●■▲◆○□△◇✚✖', ascii: '*+ox#@%&=~' } as const;

/** What marks a series on the chart, for a legend as well. */
export function symbolOf(series: number, isUnicode: boolean): string {
  const all = isUnicode ? symbols.unicode : symbols.ascii;
  return all[series % all.length] ?? '*';
}

/** Cells between two symbols of a series. */
const symbolSpacing = 24;
const fewestRows = 3;
const axisLines = 2;

/** The lines of the chart. */
export function drawChart(series: readonly ChartSeries[], options: ChartOptions): string[] {
  const axis = valueAxis(valuesOf(series), Math.max(fewestRows, options.height - axisLines));
  const rows = (axis.ticks.length - 1) * axis.rowsPerTick + 1;
  const margin = Math.max(...axis.ticks.map(({ text }) => text.length));
  const columns = Math.max(1, options.width - margin - 2);
  const canvas = createCanvas(columns, rows, options.isUnicode ? dotsOfBraille : { across: 1, down: 1 });
  drawSeries(series, { canvas, axis, columns, rows, options });
  return [...plotLines({ canvas, axis, columns, rows, options }, margin), ...timeLines(options, margin, columns)];
}

function* valuesOf(series: readonly ChartSeries[]): Generator<number> {
  for (const points of series) for (const { value } of points) yield value;
}

interface Plot {
  readonly canvas: Canvas;
  readonly axis: ValueAxis;
  readonly columns: number;
  readonly rows: number;
  readonly options: ChartOptions;
}

function drawSeries(series: readonly ChartSeries[], plot: Plot): void {
  const paths = series.map((points, ink) => drawPath(points, ink, plot));
  if (series.length < 2) return;
  // Every series has its symbols elsewhere, so that lines upon each other can be told apart.
  const offset = symbolSpacing / series.length;
  paths.forEach((path, ink) => {
    const { canvas, columns, options } = plot;
    const symbol = symbolOf(ink, options.isUnicode);
    let isMarked = false;
    for (let column = Math.floor((ink + 0.5) * offset); column < columns; column += symbolSpacing) {
      const row = path.get(column);
      if (row !== undefined) isMarked = canvas.mark(column, row, symbol, ink) || isMarked;
    }
    if (isMarked) return;
    for (const [column, row] of path) if (canvas.mark(column, row, symbol, ink)) return;
  });
}

/** Draws one series and says in which row it is in each column. */
function drawPath(
  points: ChartSeries,
  ink: number,
  { canvas, axis, columns, rows, options }: Plot,
): Map<number, number> {
  const { startMs, endMs, stepMs, isUnicode } = options;
  const across = canvas.dotsAcross / columns;
  const down = canvas.dotsDown / rows;
  const xOf = (timeMs: number) =>
    endMs > startMs
      ? Math.round(((timeMs - startMs) / (endMs - startMs)) * (canvas.dotsAcross - 1))
      : Math.floor(canvas.dotsAcross / 2);
  // A tick's value lies in the middle of its line.
  const yOf = (value: number) =>
    Math.floor(down / 2 + ((axis.high - clampTo(axis, value)) / (axis.high - axis.low)) * (rows - 1) * down);
  const path = new Map<number, number>();
  const joined = (a: ChartPoint | undefined, b: ChartPoint | undefined): boolean =>
    a !== undefined &&
    b !== undefined &&
    Number.isFinite(a.value) &&
    Number.isFinite(b.value) &&
    b.timeMs - a.timeMs <= stepMs * 1.5;
  points.forEach((point, i) => {
    const x = xOf(point.timeMs);
    const column = Math.floor(x / across);
    if (Number.isNaN(point.value)) return;
    if (!Number.isFinite(point.value)) {
      const arrow = point.value > 0 ? (isUnicode ? '↑' : '^') : isUnicode ? '↓' : 'v';
      canvas.mark(column, point.value > 0 ? 0 : rows - 1, arrow, ink);
      return;
    }
    const to = { x, y: yOf(point.value) };
    const before = points[i - 1];
    if (before !== undefined && joined(before, point)) {
      const from = { x: xOf(before.timeMs), y: yOf(before.value) };
      canvas.line(from, to, ink);
      tracePath(path, from, to, across, down);
    } else if (!joined(point, points[i + 1])) {
      // A dot by itself is hardly seen.
      canvas.mark(column, Math.floor(to.y / down), symbolOf(ink, isUnicode), ink);
    }
    path.set(column, Math.floor(to.y / down));
  });
  return path;
}

const clampTo = ({ low, high }: ValueAxis, value: number): number => Math.min(high, Math.max(low, value));

function tracePath(
  path: Map<number, number>,
  from: { x: number; y: number },
  to: { x: number; y: number },
  across: number,
  down: number,
): void {
  const first = Math.floor(from.x / across);
  const last = Math.floor(to.x / across);
  for (let column = first + 1; column < last; column++) {
    const share = (column - first) / (last - first);
    path.set(column, Math.floor(Math.round(from.y + (to.y - from.y) * share) / down));
  }
}

/** The rows of the plot with the value axis to their left. */
function plotLines({ canvas, axis, columns, rows, options }: Plot, margin: number): string[] {
  const [bar, tick] = options.isUnicode ? ['│', '┤'] : ['|', '+'];
  return Array.from({ length: rows }, (_, row) => {
    const isTick = row % axis.rowsPerTick === 0;
    const text = isTick ? (axis.ticks.at(-1 - row / axis.rowsPerTick)?.text ?? '') : '';
    let line = options.paintAxis(`${text.padStart(margin)} ${isTick ? tick : bar}`);
    let run = '';
    let runInk: number | undefined;
    const flush = () => {
      line += runInk === undefined || run.trim() === '' ? run : options.paint(run, runInk);
      run = '';
    };
    for (let column = 0; column < columns; column++) {
      const { mark, dots, ink } = canvas.cell(column, row);
      if (ink !== runInk) flush();
      runInk = ink;
      const symbol = options.isUnicode ? brailleOf(dots) : symbolOf(ink ?? 0, false);
      run += mark ?? (dots === 0 ? ' ' : symbol);
    }
    if (runInk !== undefined) flush();
    return runInk === undefined ? line.trimEnd() : line;
  });
}

/** The time axis and the texts below it. */
function timeLines({ startMs, endMs, isUnicode, paintAxis }: ChartOptions, margin: number, columns: number): string[] {
  const [corner, line, tick] = isUnicode ? ['└', '─', '┬'] : ['+', '-', '+'];
  const axis = Array.from({ length: columns }, () => line);
  let texts = '';
  for (const { at, text } of timeTicks(startMs, endMs, columns)) {
    const column =
      endMs > startMs ? Math.round(((at - startMs) / (endMs - startMs)) * (columns - 1)) : Math.floor(columns / 2);
    const place = margin + 2 + column - Math.floor(text.length / 2);
    const start = Math.max(0, Math.min(place, margin + 2 + columns - text.length));
    if (texts !== '' && start < texts.length + 2) continue;
    axis[column] = tick;
    texts = texts.padEnd(start) + text;
  }
  return [paintAxis(`${' '.repeat(margin + 1)}${corner}${axis.join('')}`), paintAxis(texts)];
}
