import { describe, expect, it } from 'vitest';
import { CodecError } from '../codec-error.ts';
import { createWriteDecoder, TooManySamplesError } from './decode-write-request.ts';

/** As large as an inflated body may be; snappy makes a twentieth of it. */
const bodyBytes = 20 * 1024 * 1024;
const maxSamples = 100_000;

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) bytes.push((rest & 0x7f) | 0x80);
  return Buffer.from([...bytes, rest]);
}
const field = (tag: number, bytes: Buffer) => Buffer.concat([Buffer.from([tag]), varint(bytes.length), bytes]);
const text = (tag: number, value: string) => field(tag, Buffer.from(value));
const up = field(0x0a, Buffer.concat([text(0x0a, '__name__'), text(0x12, 'up')]));
/** As many of a part as a body holds. */
const flood = (part: Buffer) => Buffer.alloc(bodyBytes - (bodyBytes % part.length) - 1000 * part.length, part);
const sample = field(0x12, Buffer.from([0x10, 1]));

function decode(body: Buffer) {
  const steps = createWriteDecoder({ maxSamples, maxKnownBytes: 1024 * 1024 })(body);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

describe('bodies of nothing but the smallest parts', () => {
  it.each([
    ['samples of one series', field(0x0a, Buffer.concat([up, flood(Buffer.from([0x12, 0]))]))],
    ['exemplars of one series', field(0x0a, Buffer.concat([up, flood(Buffer.from([0x1a, 0]))]))],
    [
      'exemplars of many series',
      flood(field(0x0a, Buffer.concat([up, flood(Buffer.from([0x1a, 0])).subarray(0, 200)]))),
    ],
    ['families', flood(field(0x1a, text(0x12, 'a')))],
    ['series without anything', flood(field(0x0a, up))],
    ['series without labels', flood(field(0x0a, Buffer.alloc(0)))],
    ['families without a name', flood(field(0x1a, Buffer.alloc(0)))],
  ])('are refused for too many %s before they have taken memory', (_, body) => {
    const before = process.memoryUsage().heapUsed;
    expect(() => decode(body)).toThrow(TooManySamplesError);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(300 * 1024 * 1024);
  });

  it('lose a series whose labels nobody could have meant, unread, and keep its neighbour', () => {
    const many = field(0x0a, Buffer.concat([flood(Buffer.from([0x0a, 0])), sample]));
    const { items, leftOut } = decode(Buffer.concat([many, field(0x0a, Buffer.concat([up, sample]))]));
    expect(items.map(({ series }) => series.labels)).toEqual([[['__name__', 'up']]]);
    expect(leftOut).toHaveLength(1);
    expect(leftOut[0]).toMatchObject({ what: 'samples', count: 1 });
    expect(leftOut[0]?.reason).toMatch(/^a series has \d{7,} labels, more than 1000$/);
  });

  it('lose an exemplar of as many labels', () => {
    const labels = Buffer.concat([text(0x0a, 'a'), text(0x12, 'b')]);
    const exemplar = field(0x1a, Buffer.concat([field(0x0a, labels), flood(Buffer.from([0x0a, 0]))]));
    const { exemplars, leftOut } = decode(field(0x0a, Buffer.concat([up, exemplar])));
    expect([exemplars, leftOut]).toMatchObject([[], [{ what: 'exemplars', count: 1 }]]);
  });

  it('are malformed where a part reaches beyond its own', () => {
    expect(() => decode(field(0x0a, Buffer.from([0x1a, 5, 0])))).toThrow(CodecError);
  });
});
