/** Values as Prometheus's JSON has them (web/api/v1, util/jsonutil). */
import type { Label } from '../../model/sample.ts';
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

function formatGridSeries({ labels, values, isPresent }: GridSeries, grid: Grid): string {
  const points: string[] = [];
  for (let i = 0; i < grid.count; i++) {
    if (isPresent[i] === 1) points.push(formatPoint(grid.startMs + i * grid.stepMs, values[i] ?? Number.NaN));
  }
  return `{"metric":${formatMetric(labels)},"values":[${points.join(',')}]}`;
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

/** `data` of a range query's answer, always a matrix; a scalar is a series without labels. */
export function formatRange(value: Value, grid: Grid): string {
  switch (value.kind) {
    case 'scalar': {
      const isPresent = new Uint8Array(grid.count).fill(1);
      return formatData('matrix', [formatGridSeries({ labels: [], values: value.values, isPresent }, grid)]);
    }
    case 'vector':
      return formatData(
        'matrix',
        value.series.map((series) => formatGridSeries(series, grid)),
      );
    case 'string':
    case 'matrix':
      throw new Error(`a range query cannot answer a ${value.kind}`);
  }
}
