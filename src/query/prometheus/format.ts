/** Values as Prometheus's JSON has them (web/api/v1, util/jsonutil). */
import { setImmediate as turn } from 'node:timers/promises';
import type { Label } from '../../model/sample.ts';
import { untilEnded } from '../failure.ts';
import type { Grid, GridSeries, RawSeries, Value } from '../promql/value.ts';

/** The shortest digits that read back as the same number, an exponent below 1e-6 and from 1e21, in Go's spelling (`1e-07`, `+Inf`). */
export function formatValue(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  if (Object.is(value, -0)) return '-0';
  const text = String(value);
  // JavaScript changes to an exponent at the same bounds as Go, but writes it without a second digit.
  return text.includes('e') ? text.replace(/e([+-])(\d)$/, 'e$10$2') : text;
}

/** Seconds: whole, or with exactly three decimals. */
export function formatTimestamp(timestampMs: number): string {
  const size = Math.abs(timestampMs);
  const whole = Math.floor(size / 1000);
  const rest = size % 1000;
  const sign = timestampMs < 0 ? '-' : '';
  return rest === 0 ? `${sign}${whole}` : `${sign}${whole}.${String(rest).padStart(3, '0')}`;
}

const formatMetric = (labels: readonly Label[]): string =>
  `{${labels.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',')}}`;

const formatPoint = (timestampMs: number, value: number): string =>
  `[${formatTimestamp(timestampMs)},"${formatValue(value)}"]`;

const formatData = (resultType: string, items: readonly string[]): string =>
  `{"resultType":"${resultType}","result":[${items.join(',')}]}`;

function formatRaw({ labels, timestampsMs, values }: RawSeries): string {
  const points = Array.from(timestampsMs, (timestampMs, i) => formatPoint(timestampMs, values[i] ?? Number.NaN));
  return `{"metric":${formatMetric(labels)},"values":[${points.join(',')}]}`;
}

/** The beginning of each point of the grid; every series has the same. */
const pointHeads = (grid: Grid): readonly string[] =>
  Array.from({ length: grid.count }, (_, i) => `[${formatTimestamp(grid.startMs + i * grid.stepMs)},"`);

function formatGridSeries({ labels, values, isPresent }: GridSeries, heads: readonly string[]): string {
  let points = '';
  heads.forEach((head, i) => {
    if (isPresent[i] === 1) points += `${points === '' ? '' : ','}${head}${formatValue(values[i] ?? Number.NaN)}"]`;
  });
  return `{"metric":${formatMetric(labels)},"values":[${points}]}`;
}

/** `data` of an instant query's answer. */
export function formatInstant(value: Value, timeMs: number): string {
  switch (value.kind) {
    case 'scalar':
      return `{"resultType":"scalar","result":${formatPoint(timeMs, value.values[0] ?? Number.NaN)}}`;
    case 'string':
      return `{"resultType":"string","result":[${formatTimestamp(timeMs)},${JSON.stringify(value.text)}]}`;
    case 'vector':
      return formatData(
        'vector',
        value.series.map(
          ({ labels, values }) =>
            `{"metric":${formatMetric(labels)},"value":${formatPoint(timeMs, values[0] ?? Number.NaN)}}`,
        ),
      );
    case 'matrix':
      return formatData('matrix', value.series.map(formatRaw));
  }
}

/** So many points are written before others get their turn: about 10 ms. */
const pointsBetweenTurns = 20_000;

/** `data` of a range query's answer, always a matrix; a scalar is a series without labels. */
export async function formatRange(value: Value, grid: Grid, signal: AbortSignal): Promise<string> {
  if (value.kind === 'string' || value.kind === 'matrix') {
    throw new Error(`a range query cannot answer a ${value.kind}`);
  }
  const series: readonly GridSeries[] =
    value.kind === 'vector'
      ? value.series
      : [{ labels: [], values: value.values, isPresent: new Uint8Array(grid.count).fill(1) }];
  const heads = pointHeads(grid);
  const items: string[] = [];
  let points = 0;
  for (const one of series) {
    items.push(formatGridSeries(one, heads));
    points += grid.count;
    if (points < pointsBetweenTurns) continue;
    points = 0;
    await untilEnded(signal, turn(undefined, { signal }));
  }
  return formatData('matrix', items);
}
