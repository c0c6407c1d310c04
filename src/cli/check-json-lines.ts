/** The machine's side of `trawl check metrics`: one page in a line of JSON, one line of JSON for an answer. */
import { z } from 'zod';
import { checkPage } from '../codec/exposition/check/check-page.ts';
import { type ExposedPage, type ExposedSeries, formatOfContentType } from '../codec/exposition/exposition.ts';
import { createExpositionParser } from '../codec/exposition/parser.ts';
import type { Label } from '../model/sample.ts';
import { UsageError } from './command.ts';

const question = z.object({ id: z.string(), contentType: z.string().nullish(), bodyBase64: z.string() });

interface JsonSample {
  readonly labels: Readonly<Record<string, string>>;
  /** As text, since JSON has neither NaN nor infinities. */
  readonly value: string;
  readonly timestampMs?: number;
  readonly exemplar?: JsonSample;
}

export type JsonAnswer =
  | { readonly id: string; readonly ok: false; readonly error: string }
  | {
      readonly id: string;
      readonly ok: true;
      readonly series: readonly JsonSample[];
      readonly metadata: Readonly<
        Record<string, { readonly type: string; readonly help: string; readonly unit: string }>
      >;
    };

/** Checks the page in a line. Throws a UsageError where the line is no question. */
export function checkJsonLine(line: string): JsonAnswer {
  const { id, contentType, bodyBase64 } = readQuestion(line);
  const body = Buffer.from(bodyBase64, 'base64');
  const format = formatOfContentType(contentType ?? undefined);
  const error = checkPage(body, format).findings.find(({ severity }) => severity === 'error');
  if (error !== undefined) return { id, ok: false, error: `line ${error.line}: ${error.text}` };
  const page = createExpositionParser({ remember: (series) => series }).parse(body, format);
  const metadata = [...page.metadata].map(([name, { type, help, unit }]) => [name, { type, help, unit }] as const);
  return { id, ok: true, series: samplesOf(page), metadata: Object.fromEntries(metadata) };
}

function readQuestion(line: string): z.infer<typeof question> {
  try {
    return question.parse(JSON.parse(line));
  } catch (cause) {
    throw new UsageError('a line of --json-lines is {"id","contentType","bodyBase64"} in JSON', { cause });
  }
}

function samplesOf(page: ExposedPage<ExposedSeries>): readonly JsonSample[] {
  const exemplars = new Map(page.exemplars.map((exemplar) => [exemplar.sample, exemplar]));
  return page.series.map(({ labels }, i) => {
    const exemplar = exemplars.get(i);
    const own = toSample({ labels, value: page.values[i], timestampMs: page.timestampsMs[i] });
    return exemplar === undefined ? own : { ...own, exemplar: toSample(exemplar) };
  });
}

interface Sample {
  readonly labels: readonly Label[];
  readonly value: number | undefined;
  readonly timestampMs: number | undefined;
}

function toSample({ labels, value = Number.NaN, timestampMs = Number.NaN }: Sample): JsonSample {
  const text = Number.isFinite(value) || Number.isNaN(value) ? String(value) : value > 0 ? '+Inf' : '-Inf';
  const sample = { labels: Object.fromEntries(labels), value: text };
  return Number.isNaN(timestampMs) ? sample : { ...sample, timestampMs };
}
