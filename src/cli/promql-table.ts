/** An instant query's answer as a table: a series a line, its value at the end. */
import { widthOf } from './cells.ts';
import type { QueryData, Sample, Series } from './promql-answer.ts';
import { differenceText, metricText, type SharedLabels, shareLabels } from './promql-labels.ts';
import type { Screen } from './screen.ts';
import { momentText } from './time-text.ts';

const gap = '  ';
/** Points one below the other help the eye as long as the numbers do not become a column of blanks. */
const widestAligned = 26;

/** Numbers right-aligned, with the points one below the other where there are any. */
export function alignNumbers(texts: readonly string[]): string[] {
  const parts = texts.map((text) => {
    const at = text.search(/[.e]/);
    return at < 0 ? { whole: text, rest: '' } : { whole: text.slice(0, at), rest: text.slice(at) };
  });
  const whole = Math.max(0, ...parts.map((part) => part.whole.length));
  const rest = Math.max(0, ...parts.map((part) => part.rest.length));
  if (whole + rest > widestAligned) {
    const width = Math.max(0, ...texts.map((text) => text.length));
    return texts.map((text) => text.padStart(width));
  }
  return parts.map((part) => part.whole.padStart(whole) + part.rest.padEnd(rest));
}

/** The lines for an answer that has something in it. */
export function drawData(data: QueryData, screen: Screen): string[] {
  if ('sample' in data) {
    const { text } = data.sample;
    return [screen.show(data.kind === 'scalar' ? text : JSON.stringify(text).slice(1, -1))];
  }
  return data.kind === 'vector' ? drawVector(data.series, screen) : drawMatrix(data.series, screen);
}

/** The labels that all series have, where a table or a chart does not repeat them. */
export const commonLine = ({ common }: SharedLabels, screen: Screen): string[] =>
  Object.keys(common).length === 0 ? [] : [screen.paint(screen.show(metricText(common)), 'bold'), ''];

function drawVector(series: readonly Series[], screen: Screen): string[] {
  const shared = shareLabels(series.map(({ metric }) => metric));
  const values = alignNumbers(series.map(({ samples }) => screen.show(samples[0]?.text ?? '')));
  const [only] = series;
  if (series.length === 1 && only !== undefined)
    return drawOne(screen.show(metricText(only.metric)), values[0] ?? '', screen);
  const columns = shared.differing.map((name) => {
    const texts = series.map(({ metric }) => screen.show(metric[name] ?? ''));
    const title = screen.show(name);
    return { title, texts, width: Math.max(widthOf(title), ...texts.map(widthOf)) };
  });
  const valueWidth = Math.max('value'.length, ...values.map((text) => text.length));
  const width = columns.reduce((sum, column) => sum + column.width + gap.length, valueWidth);
  if (width > screen.width) {
    const differences = series.map(({ metric }) => screen.show(differenceText(metric, shared.differing)));
    return [...commonLine(shared, screen), ...differences.flatMap((text, i) => drawOne(text, values[i] ?? '', screen))];
  }
  const line = (cells: readonly string[], value: string) => [...cells, value].join(gap).trimEnd();
  const padded = (text: string, to: number) => text + ' '.repeat(Math.max(0, to - widthOf(text)));
  const head = columns.map(({ title, width: to }) => padded(title, to));
  return [
    ...commonLine(shared, screen),
    screen.paint(line(head, 'value'.padStart(valueWidth)), 'dim'),
    ...series.map((_, i) => {
      const cells = columns.map(({ texts, width: to }) => padded(texts[i] ?? '', to));
      return line(cells, screen.paint((values[i] ?? '').padStart(valueWidth), 'bold'));
    }),
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
