/** Files of traces as they are saved by Zipkin's, Jaeger's and OpenTelemetry's tools, told apart by what is in them. */
import { gunzipSync } from 'node:zlib';
import { CodecError } from '../codec/codec-error.ts';
import { readTraces } from '../codec/jaeger-json/decode-traces.ts';
import { decodeJsonSpans } from '../codec/otlp/decode-spans.ts';
import { parseJson } from '../codec/otlp/json-text.ts';
import { detectListFormat } from '../codec/zipkin-format.ts';
import { decodeSpans as decodeJsonV1 } from '../codec/zipkin-v1-json/decode-spans.ts';
import { decodeSpans as decodeJsonV2 } from '../codec/zipkin-v2-json/decode-spans.ts';
import type { Span } from '../model/span.ts';
import { JsonListError, listElements } from './json-list.ts';

export type TraceFileFormat = 'Zipkin v1 JSON' | 'Zipkin v2 JSON' | 'Jaeger JSON' | 'OTLP JSON';

export interface TraceFile {
  readonly format: TraceFileFormat;
  readonly spans: readonly Span[];
  /** Zipkin's spans as the file has them, one text each; they are sent on as they are. */
  readonly texts?: readonly string[];
  /** Spans that OpenTelemetry's rules refuse, with the reason for the first. */
  readonly refused: number;
  readonly reason: string;
}

/** What a file may hold when it is unpacked. */
export const fileLimitBytes = 256 * 1024 * 1024;

const gzipStart = Buffer.from([0x1f, 0x8b]);
const byteOrderMark = /^\ufeff/;
const shownLength = 120;

/** Reads a whole file. Throws a CodecError that says what is wrong and where. */
export function readTraceFile(bytes: Buffer): TraceFile {
  const text = unpack(bytes).toString('utf8').replace(byteOrderMark, '').trim();
  if (text === '') throw new CodecError('the file is empty');
  if (text.startsWith('[')) return readList(text);
  if (!text.startsWith('{'))
    throw new CodecError(`neither JSON nor packed JSON; it begins with ${JSON.stringify(text.slice(0, 20))}`);
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return lines.length > 1 && lines.every(isWhole) ? readLines(lines) : readObject(text);
}

function unpack(bytes: Buffer): Buffer {
  if (!bytes.subarray(0, 2).equals(gzipStart)) return bytes;
  try {
    return gunzipSync(bytes, { maxOutputLength: fileLimitBytes });
  } catch (cause) {
    throw new CodecError(`cannot be unpacked with gzip (${cause instanceof Error ? cause.message : String(cause)})`, {
      cause,
    });
  }
}

/** A line that is an object by itself, as the collector's file exporter writes it; a printed JSON has none. */
const isWhole = (line: string): boolean => line.startsWith('{') && line.trimEnd().endsWith('}');

function readLines(lines: readonly string[]): TraceFile {
  const parts = lines.map((line, i) => {
    try {
      return readObject(line);
    } catch (error) {
      throw error instanceof CodecError ? new CodecError(`line ${i + 1}: ${error.message}`) : error;
    }
  });
  return joinFiles(parts);
}

function joinFiles(parts: readonly TraceFile[]): TraceFile {
  const [first] = parts;
  if (first === undefined) throw new CodecError('the file is empty');
  const other = parts.find(({ format }) => format !== first.format);
  if (other !== undefined) throw new CodecError(`${first.format} and ${other.format} stand in one file`);
  return {
    format: first.format,
    spans: parts.flatMap(({ spans }) => [...spans]),
    ...(first.texts === undefined ? {} : { texts: parts.flatMap(({ texts }) => [...(texts ?? [])]) }),
    refused: parts.reduce((sum, { refused }) => sum + refused, 0),
    reason: parts.find(({ reason }) => reason !== '')?.reason ?? '',
  };
}

const keyOfJaegerTrace = /^\{\s*"(?:traceID|spans|processes)"/;

/** A list of spans, of lists of spans, or of Jaeger's traces. */
function readList(text: string): TraceFile {
  const elements = elementsOf(text);
  const [first] = elements;
  if (first === undefined) throw new CodecError('the list in the file is empty');
  if (first.startsWith('[')) return readZipkin(elements.flatMap(elementsOf));
  if (keyOfJaegerTrace.test(first) && isJaegerTrace(first)) return jaegerFile(parseJson(Buffer.from(text)));
  return readZipkin(elements);
}

function elementsOf(text: string): readonly string[] {
  try {
    return listElements(text);
  } catch (error) {
    if (error instanceof JsonListError) throw new CodecError(`${error.message}, ${placeOf(text, error.position)}`);
    throw error;
  }
}

function placeOf(text: string, position: number): string {
  const lines = text.slice(0, position).split('\n');
  return `at line ${lines.length} column ${(lines.at(-1)?.length ?? 0) + 1}`;
}

const isJaegerTrace = (text: string): boolean => {
  const json = parseJson(Buffer.from(text));
  return typeof json === 'object' && json !== null && 'spans' in json;
};

/** Decoded to know that every span is taken; what is sent is the text, of which no digit is changed. */
function readZipkin(texts: readonly string[]): TraceFile {
  const body = Buffer.from(`[${texts.join(',')}]`);
  // Where neither says more, both versions mean the same.
  const isV1 =
    detectListFormat(body) === 'JSON_V1' && (body.includes('binaryAnnotations"') || body.includes('"endpoint"'));
  const format = isV1 ? 'Zipkin v1 JSON' : 'Zipkin v2 JSON';
  const decode = isV1 ? decodeJsonV1 : decodeJsonV2;
  try {
    return { format, spans: decode(body), texts, refused: 0, reason: '' };
  } catch (error) {
    if (error instanceof CodecError) throw new CodecError(`${firstWrong(texts, decode) ?? error.message}`);
    throw error;
  }
}

/** The place of the first span that is refused by itself, since a list is refused whole. */
function firstWrong(texts: readonly string[], decode: (body: Buffer) => readonly Span[]): string | undefined {
  for (const [i, text] of texts.entries()) {
    try {
      decode(Buffer.from(`[${text}]`));
    } catch (error) {
      if (!(error instanceof CodecError)) throw error;
      const message = error.message
        .replace(/ at line 1 column \d+ path \$\[0\]/, ' at ')
        .replace(/ at \.?$/, '')
        .trim();
      return `span ${i + 1}: ${message} (${text.slice(0, shownLength)}${text.length > shownLength ? '…' : ''})`;
    }
  }
  return undefined;
}

const jaegerFile = (json: unknown): TraceFile => ({
  format: 'Jaeger JSON',
  spans: readTraces(json),
  refused: 0,
  reason: '',
});

/** OTLP's request, bare or in the wrapping of Jaeger's v3 API; what Jaeger's UI saves; or one span of Zipkin's. */
function readObject(text: string): TraceFile {
  const json = parseJson(Buffer.from(text));
  if (typeof json !== 'object' || json === null) throw new CodecError('no object of JSON');
  const inner = 'result' in json ? json.result : json;
  if (typeof inner === 'object' && inner !== null && 'resourceSpans' in inner) {
    const body =
      inner === json ? text : (/^\s*\{\s*"result"\s*:\s*([\s\S]*)\}\s*$/.exec(text)?.[1] ?? JSON.stringify(inner));
    const { spans, rejected, reason } = decodeJsonSpans(Buffer.from(body));
    return { format: 'OTLP JSON', spans, refused: rejected, reason };
  }
  if ('data' in json || 'spans' in json) return jaegerFile(json);
  if ('traceId' in json && 'id' in json) return readZipkin([text]);
  const keys = Object.keys(json)
    .slice(0, 5)
    .map((key) => JSON.stringify(key.slice(0, 40)));
  throw new CodecError(
    `no traces that Trawl knows: neither Zipkin's list of spans, nor Jaeger's "data", nor OTLP's "resourceSpans", but ${keys.join(', ') || 'an empty object'}`,
  );
}
