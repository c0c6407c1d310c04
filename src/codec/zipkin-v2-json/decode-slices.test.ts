import { describe, expect, it } from 'vitest';
import { decodeSpansInSteps } from './decode-slices.ts';
import { decodeSpans } from './decode-spans.ts';

/** The result or the error, and how many steps it took. */
function inSteps(text: string) {
  const steps = decodeSpansInSteps(Buffer.from(text));
  const counts: number[] = [];
  try {
    for (let next = steps.next(); ; next = steps.next()) {
      if (next.done === true) return { result: next.value, counts };
      counts.push(next.value);
    }
  } catch (error) {
    return { result: String(error), counts };
  }
}

function atOnce(text: string) {
  try {
    return decodeSpans(Buffer.from(text));
  } catch (error) {
    return String(error);
  }
}

const spanText = (n: number, more = '') =>
  `{"traceId":"${(n + 1).toString(16)}","id":"${(n + 1).toString(16)}","tags":{"a\\"},{\\\\":"}]${n}ü"},"annotations":[{"timestamp":1,"value":"x"},{"timestamp":2,"value":"],["}]${more}}`;
const list = (spans: readonly string[], separator = ',') => `[${spans.join(separator)}]`;
const spans = Array.from({ length: 6000 }, (_, n) => spanText(n));

describe('Zipkin v2 JSON decoded in steps', () => {
  it('gives what it gives at once, in many steps, however many quotes and brackets are in its texts', () => {
    const text = list(spans);
    const { result, counts } = inSteps(text);
    expect(result).toEqual(atOnce(text));
    expect(result).toHaveLength(6000);
    expect(counts.length).toBeGreaterThan(3);
    expect(counts).toEqual([...counts].sort((a, b) => a - b));
  });

  const unusual: Readonly<Record<string, string>> = {
    'blanks between spans': list(spans, ' , '),
    'an unknown field in the last span': list([...spans, spanText(7, ',"x":[1]')]),
    'something behind the list': `${list(spans)} and more`,
    'an id that is none in the middle': list([...spans, '{"traceId":"zz","id":"1"}', ...spans]),
    'a missing id': list([...spans, '{"traceId":"1"}']),
    'no end': list(spans).slice(0, -1),
    'an end in a string': list(spans).slice(0, -20),
    'a comma too many': list([...spans, '']),
    'a comma too many in the middle': list([...spans, '', ...spans]),
    'an empty slice': `[${' '.repeat(300_000)}]`,
    'no span but a number': list([...spans, '1']),
    'a bracket too many': `${list(spans)}]`,
    'a line feed before it': `\n${list(spans)}`,
    'one span that is longer than a slice': list([
      `{"traceId":"1","id":"1","tags":{${Array.from({ length: 40_000 }, (_, n) => `"t${n}":"v"`).join(',')}}}`,
      ...spans,
    ]),
  };
  for (const [what, text] of Object.entries(unusual)) {
    it(`gives the same result or error with ${what}`, () => {
      expect(inSteps(text).result).toEqual(atOnce(text));
    });
  }
});
