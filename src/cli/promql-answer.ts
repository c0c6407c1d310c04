/** What the Prometheus API of an agent answers, read from its JSON. */

export type Metric = Readonly<Record<string, string>>;

/** A value in the spelling of the answer, and when it was. */
export interface Sample {
  readonly timeMs: number;
  readonly text: string;
}

export interface Series {
  readonly metric: Metric;
  readonly samples: readonly Sample[];
}

export type QueryData =
  | { readonly kind: 'scalar' | 'string'; readonly sample: Sample }
  | { readonly kind: 'vector' | 'matrix'; readonly series: readonly Series[] };

export type QueryAnswer =
  | {
      readonly ok: true;
      readonly data: QueryData;
      readonly warnings: readonly string[];
      readonly infos: readonly string[];
    }
  | { readonly ok: false; readonly errorType: string; readonly error: string };

/** The number that a value's text stands for. */
export function numberOf(text: string): number {
  if (text === '+Inf' || text === 'Inf') return Number.POSITIVE_INFINITY;
  if (text === '-Inf') return Number.NEGATIVE_INFINITY;
  return text === '' ? Number.NaN : Number(text);
}

/** Reads an answer; undefined where it is none of this API. */
export function readAnswer(text: string): QueryAnswer | undefined {
  const answer = parse(text);
  if (!isRecord(answer)) return undefined;
  const { status, errorType, error } = answer;
  if (status === 'error' && typeof error === 'string') {
    return { ok: false, errorType: typeof errorType === 'string' ? errorType : '', error };
  }
  const data = status === 'success' ? readData(answer['data']) : undefined;
  if (data === undefined) return undefined;
  return { ok: true, data, warnings: textsOf(answer['warnings']), infos: textsOf(answer['infos']) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The caller says what came instead.
    return undefined;
  }
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const textsOf = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : []);

function readData(data: unknown): QueryData | undefined {
  if (!isRecord(data)) return undefined;
  const { resultType, result } = data;
  switch (resultType) {
    case 'scalar':
    case 'string': {
      const sample = readSample(result);
      return sample && { kind: resultType, sample };
    }
    case 'vector':
    case 'matrix': {
      if (!Array.isArray(result)) return undefined;
      const series = result.map(readSeries);
      return series.every((each) => each !== undefined) ? { kind: resultType, series } : undefined;
    }
    default:
      return undefined;
  }
}

function readSeries(value: unknown): Series | undefined {
  if (!isRecord(value) || !isRecord(value['metric'])) return undefined;
  const metric = Object.fromEntries(Object.entries(value['metric']).map(([name, text]) => [name, String(text)]));
  const points = Array.isArray(value['values'])
    ? value['values']
    : value['value'] === undefined
      ? []
      : [value['value']];
  return { metric, samples: points.map(readSample).filter((sample) => sample !== undefined) };
}

function readSample(value: unknown): Sample | undefined {
  if (!Array.isArray(value) || value.length < 2) return undefined;
  const [time, text]: unknown[] = value;
  const timeMs = Math.round(Number(time) * 1000);
  return Number.isFinite(timeMs) && typeof text === 'string' ? { timeMs, text } : undefined;
}
