/** Traces as the text of an answer, a piece at a time, so that others are served while a large one is written. */
import { setImmediate as turn } from 'node:timers/promises';
import {
  newInstrumentationScope,
  newResource,
  writeInstrumentationScope,
  writeResource,
  writeSpan,
} from '../../codec/otlp/otlp.generated.ts';
import type { OtlpTrace } from './otlp-trace.ts';
import { createUiWriter, encodeUiSpan } from './ui-trace.ts';

/** About 10 ms of work. */
const spansPerTurn = 1000;

/** Gathers text, and lets others have their turn now and then. */
function createPieces() {
  const pieces: Buffer[] = [];
  let text = '';
  let sinceTurn = 0;
  const flush = (): void => {
    if (text !== '') pieces.push(Buffer.from(text));
    text = '';
  };
  return {
    add(more: string): void {
      text += more;
    },
    /** Counts a span; true when it is time to rest. */
    isTired(): boolean {
      return ++sinceTurn >= spansPerTurn;
    },
    async rest(signal: AbortSignal): Promise<void> {
      sinceTurn = 0;
      flush();
      await turn(undefined, { signal });
    },
    end(): readonly Buffer[] {
      flush();
      return pieces;
    },
  };
}

/** The list of traces as v1 writes it, between `before` and `after`. */
export async function encodeUiTraces(
  traces: readonly OtlpTrace[],
  frame: { readonly before: string; readonly after: string },
  signal: AbortSignal,
): Promise<readonly Buffer[]> {
  const pieces = createPieces();
  pieces.add(`${frame.before}[`);
  let separator = '';
  for (const trace of traces) {
    const writer = createUiWriter(trace);
    pieces.add(`${separator}{"traceID":${JSON.stringify(writer.traceID)},"spans":[`);
    separator = ',';
    let comma = '';
    for (const span of writer.spans()) {
      pieces.add(`${comma}${encodeUiSpan(span)}`);
      comma = ',';
      if (pieces.isTired()) await pieces.rest(signal);
    }
    pieces.add(`],"processes":${JSON.stringify(writer.processes())},"warnings":null}`);
  }
  pieces.add(`]${frame.after}`);
  return pieces.end();
}

/** The traces as one list of OTLP's messages, which is how v3 answers them. */
export async function encodeOtlpTraces(traces: readonly OtlpTrace[], signal: AbortSignal): Promise<readonly Buffer[]> {
  const pieces = createPieces();
  pieces.add('{"result":{"resourceSpans":[');
  let separator = '';
  for (const { resource, schemaUrl, scopeSpans } of traces.flat()) {
    pieces.add(`${separator}{"resource":${writeResource(resource ?? newResource())},"scopeSpans":[`);
    separator = ',';
    let scopeSeparator = '';
    for (const group of scopeSpans) {
      pieces.add(
        `${scopeSeparator}{"scope":${writeInstrumentationScope(group.scope ?? newInstrumentationScope())},"spans":[`,
      );
      scopeSeparator = ',';
      let comma = '';
      for (const span of group.spans) {
        pieces.add(`${comma}${writeSpan(span)}`);
        comma = ',';
        if (pieces.isTired()) await pieces.rest(signal);
      }
      pieces.add(`]${schemaUrlField(group.schemaUrl)}}`);
    }
    pieces.add(`]${schemaUrlField(schemaUrl)}}`);
  }
  pieces.add(']}}');
  return pieces.end();
}

const schemaUrlField = (url: string): string => (url === '' ? '' : `,"schemaUrl":${JSON.stringify(url)}`);
