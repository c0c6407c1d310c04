/** An instant query's answer as a table: a series a line, its value at the end. */
import { cutTo, widthOf } from './cells.ts';
import type { Metric, QueryData, Sample, Series } from './promql-answer.ts';
import { labelOf, metricText, type SharedLabels, shareLabels } from './promql-labels.ts';
import type { Screen } from './screen.ts';
import { momentText } from './time-text.ts';

const gap = '  ';
/** Points one below the other help the eye as long as the numbers do not become a column of blanks. */
const widestAligned = 26;

// An answer may have more series than a call may have arguments.
const longest = (texts: readonly string[]): number => texts.reduce((most, text) => Math.max(most, text.length), 0);

/** Numbers right-aligned, with the points one below the other where there are any. */
export function alignNumbers(texts: readonly string[]): string[] {
  const parts = texts.map((text) => {
    const at = text.search(/[.e]/);
    return at < 0 ? { whole: text, rest: '' } : { whole: text.slice(0, at), rest: text.slice(at) };
  });
  const whole = longest(parts.map((part) => part.whole));
  const rest = longest(parts.map((part) => part.rest));
  if (whole + rest > widestAligned) {
    const width = longest(texts);
    return texts.map((text) => text.padStart(width));
  }
  return parts.map((part) => part.whole.padStart(whole) + part.rest.padEnd(rest));
}

/** The lines for an answer that has something in it. */
export function drawData(data: QueryData, screen: Screen): string[] {
  if ('sample' in data) {
    return [screen.show(data.sample.text)];
  }
  return data.kind === 'vector' ? drawVector(data.series, screen) : drawMatrix(data.series, screen);
}

/** The labels that all series have, where a table or a chart does not repeat them. */
export const commonLine = ({ common }: SharedLabels, screen: Screen): string[] =>
  Object.keys(common).length === 0 ? [] : [screen.paint(screen.show(metricText(common)), 'bold'), ''];

/** Texts one below the other. */
export interface Column {
  readonly title: string;
  readonly texts: readonly string[];
  readonly width: number;
  readonly isNumber: boolean;
}

export const columnOf = (title: string, texts: readonly string[], isNumber = false): Column => ({
  title,
  texts,
  width: texts.reduce((width, text) => Math.max(width, widthOf(text)), widthOf(title)),
  isNumber,
});

/** A column for each label by which the series differ. */
export const labelColumns = (metrics: readonly Metric[], differing: readonly string[], screen: Screen): Column[] =>
  differing.map((name) =>
    columnOf(
      screen.show(name),
      metrics.map((metric) => screen.show(labelOf(metric, name) ?? '')),
    ),
  );

/** How wide a line of these columns is. */
export const widthOfColumns = (columns: readonly Column[]): number =>
  columns.reduce((sum, { width }) => sum + width, (columns.length - 1) * gap.length);

/** The line of a table: its head without `row`. */
export function tableLine(columns: readonly Column[], screen: Screen, row?: number): string {
  const cells = columns.map(({ title, texts, width, isNumber }) => {
    const text = cutTo(row === undefined ? title : (texts[row] ?? ''), width, screen.ellipsis);
    const padding = ' '.repeat(Math.max(0, width - widthOf(text)));
    return isNumber ? padding + text : text + padding;
  });
  return cells.join(gap).trimEnd();
}

/** Stands above what is before the points. */
function valueTitle(values: readonly string[]): string {
  const [first] = values.map((text) => text.search(/[.e]/)).filter((at) => at >= 0);
  const whole = first ?? 0;
  return whole === 0 ? 'value' : 'value'.padStart(whole).padEnd(values[0]?.length ?? 0);
}

function drawVector(series: readonly Series[], screen: Screen): string[] {
  const metrics = series.map(({ metric }) => metric);
  const shared = shareLabels(metrics);
  const values = alignNumbers(series.map(({ samples }) => screen.show(samples[0]?.text ?? '')));
  const [only] = series;
  if (series.length === 1 && only !== undefined)
    return drawOne(screen.show(metricText(only.metric)), values[0] ?? '', screen);
  const columns = [...labelColumns(metrics, shared.differing, screen), columnOf(valueTitle(values), values, true)];
  if (widthOfColumns(columns) > screen.width) {
    const differences = metrics.map((metric) => screen.show(metricText(metric, shared.differing)));
    return [...commonLine(shared, screen), ...differences.flatMap((text, i) => drawOne(text, values[i] ?? '', screen))];
  }
  return [
    ...commonLine(shared, screen),
    screen.paint(tableLine(columns, screen), 'dim'),
    ...series.map((_, row) => tableLine(columns, screen, row)),
  ];
}

/** Labels and a value: on one line, or where that is too narrow, the value below. */
function drawOne(labels: string, value: string, screen: Screen): string[] {
  const text = screen.paint(value.trim(), 'bold');
  if (labels === '{}') return [text];
  return widthOf(labels) + gap.length + value.trim().length <= screen.width
    ? [`${labels}${gap}${text}`]
    : [labels, `${gap}${text}`];
}

/** The raw samples of each series. */
function drawMatrix(series: readonly Series[], screen: Screen): string[] {
  return series.flatMap(({ metric, samples }, i) => {
    const values = alignNumbers(samples.map(({ text }) => screen.show(text)));
    return [
      ...(i === 0 ? [] : ['']),
      screen.paint(screen.show(metricText(metric)), 'bold'),
      ...samples.map(
        (sample, at) => `${gap}${screen.paint(timeOf(sample), 'dim')}${gap}${(values[at] ?? '').trimEnd()}`,
      ),
    ];
  });
}

const timeOf = ({ timeMs }: Sample): string => momentText(timeMs * 1000);
