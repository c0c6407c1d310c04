import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { otlpJsonBodies } from '../../../bench/lib/otlp-bodies.ts';
import { makeMutants } from '../../../test/contract/decoder-kit.ts';
import { otlpJson } from '../../../test/contract/otlp-decoders.ts';
import { readRequestFast } from './json-messages.ts';
import { parseJson } from './json-text.ts';
import { readExportTraceServiceRequest } from './otlp.generated.ts';

/** The request, and after how many steps. */
function readInSteps(body: Buffer) {
  const steps = readRequestFast(body);
  for (let count = 1; ; count++) {
    const step = steps.next();
    if (step.done === true) return { request: step.value, count };
  }
}

const readFast = (body: Buffer) => readInSteps(body).request;
const readAll = (body: Buffer) => readExportTraceServiceRequest(parseJson(body));

/** A request whose only span has this in it. */
const ofSpan = (fields: string): Buffer =>
  Buffer.from(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"ab",${fields}}]}]}]}`);
const ofValue = (value: string): Buffer => ofSpan(`"attributes":[{"key":"a","value":${value}}]`);

describe('the reader of requests as senders write them', () => {
  it('reads what the reader of everything reads, whatever becomes of a message on its way', () => {
    let read = 0;
    for (const mutant of makeMutants(otlpJson, { mutants: 6000, seed: 4318 })) {
      const request = readFast(mutant);
      if (request === undefined) continue;
      read++;
      expect(request, mutant.toString()).toEqual(readAll(mutant));
    }
    expect(read).toBeGreaterThan(100);
  });

  it('reads bodies of SDKs and collectors, compact or spread over lines', () => {
    const messages = [...otlpJson.validMessages, ...otlpJsonBodies(2, 7)];
    const spread = messages.map((body) => Buffer.from(JSON.stringify(JSON.parse(body.toString()), null, '\t')));
    for (const body of [...messages, ...spread]) expect(readFast(body)).toEqual(readAll(body));
  });

  it('reads a large body in steps, be it one list of spans or many', () => {
    const list = (count: number) =>
      `[${Array.from({ length: count }, (_, n) => `{"name":"${String(n).padEnd(70)}"}`).join(',')}]`;
    const scopes = (count: number, spans: number) =>
      `[${Array.from({ length: count }, () => `{"spans":${list(spans)}}`).join(',')}]`;
    for (const scopeSpans of [scopes(1, 8000), scopes(8000, 1), scopes(40, 200)]) {
      for (const end of [' ', ',']) {
        const body = Buffer.from(`{"resourceSpans":[{"scopeSpans":${scopeSpans}${end}}]}`);
        const { request, count } = readInSteps(body);
        if (end.trim() === '') expect(isDeepStrictEqual(request, readAll(body))).toBe(true);
        else expect(request).toBeUndefined();
        expect(count).toBeGreaterThan(2);
      }
    }
  });

  it.each([
    ['numbers of 64 bits', ofValue('{"intValue":"-9223372036854775808"}')],
    ['numbers without quotes', ofSpan('"kind":2,"flags":257,"startTimeUnixNano":1795253305853895123')],
    ['names of enums', ofSpan('"kind":"SPAN_KIND_SERVER","status":{"code":"STATUS_CODE_ERROR"}')],
    ['escapes and other letters', ofValue('{"stringValue":"\\u00fc\\n\\"ü漢\\\\"}')],
    ['escapes in keys of attributes', ofSpan('"attributes":[{"key":"a\\"b","value":{"stringValue":"\\ud800"}}]')],
    [
      'doubles',
      ofValue('{"arrayValue":{"values":[{"doubleValue":-0},{"doubleValue":1.5e300},{"doubleValue":"NaN"}]}}'),
    ],
    ['a field twice', ofSpan('"name":"a","name":"b","attributes":[{"key":"a"}],"attributes":[]')],
  ])('reads %s', (_, body) => {
    expect(readFast(body)).toEqual(readAll(body));
  });

  it.each([
    ['fields that are not known', ofSpan('"profile":1')],
    ['null', ofSpan('"name":null')],
    ['names in snake_case', ofSpan('"span_id":"ab"')],
    ['two values in one', ofValue('{"stringValue":"a","intValue":"1"}')],
    ['leading zeros', ofSpan('"flags":01')],
    ['raw line breaks in text', ofSpan('"name":"a\nb"')],
    ['what stands behind the request', Buffer.from('{} {}')],
    ['nothing', Buffer.alloc(0)],
    ['text without an end', Buffer.from('{"resourceSpans":[{"schemaUrl":"a')],
    ['a text that ends in a backslash', Buffer.from('{"resourceSpans":[{"schemaUrl":"a\\')],
    ['capital digits of ids', ofSpan('"spanId":"AB"')],
    ['nesting without end', ofValue('{"arrayValue":{"values":['.repeat(1000))],
  ])('leaves %s to the reader of everything', (_, body) => {
    expect(readFast(body)).toBeUndefined();
  });
});
