/** Bodies of every trace format that lie, nest, or say what no tracer would, sent to a whole agent: refused with a reason, or kept and given back the same. */
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { startAgent, type TestAgent } from '../fixtures/agent.ts';
import { delimited, type RawFormat, type RawSpan, rawFormats } from '../fixtures/raw-spans.ts';

// A whole agent on a machine that may be busy: what is slow is no failure.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

let agent: TestAgent;
let lastId = 0;

beforeAll(async () => {
  agent = await startAgent({ sets: ['store.retention=forever'] });
  await agent.ready();
});

afterEach(async () => {
  expect((await agent.get('/-/ready')).status, agent.output()).toBe(200);
});

afterAll(async () => {
  await agent.remove();
});

/** Ids of a span that no other test has. */
function freshIds({ kind }: RawFormat): { traceId: string; id: string } {
  lastId += 1;
  const id = `a${lastId.toString(16).padStart(15, '0')}`;
  return { id, traceId: kind === 'otlp' ? id.padStart(32, 'b') : id };
}

const send = (format: RawFormat, body: Buffer) => agent.post(format.path, body, { 'content-type': format.contentType });

const byName = (name: string): RawFormat => {
  const format = rawFormats.find((each) => each.name === name);
  if (format === undefined) throw new Error(`there is no format ${name}`);
  return format;
};

async function expectRefused(format: RawFormat, body: Buffer): Promise<void> {
  const { status, text } = await send(format, body);
  expect(status, text).toBe(400);
  expect(text.length, `a reason for ${body.subarray(0, 100).toString('hex')}`).toBeGreaterThan(10);
}

describe('a length that lies', () => {
  const hex = (digits: string) => Buffer.from(digits, 'hex');
  const lies: Readonly<Record<string, readonly Buffer[]>> = {
    'Zipkin v1 Thrift': [
      hex('0c7fffffff'),
      hex('0c000000010b00037fffffff'),
      hex('0c000000010b0003ffffffff41'),
      hex('0c000000010f00060c7fffffff'),
      hex('0c000000010d00630b0c7fffffff'),
    ],
    'Zipkin v2 protobuf': [
      hex('0affffffff0f0a'),
      hex('0affffffff070a'),
      hex('0affffffffffffffffff01'),
      delimited(1, hex('0affffffff0f')),
      delimited(1, hex('2affffffff0f41')),
    ],
    'OTLP protobuf': [
      hex('0affffffff0f0a'),
      hex('0affffffff070a'),
      hex('0affffffffffffffffff01'),
      delimited(1, hex('12ffffffff0f')),
      delimited(1, delimited(2, delimited(2, hex('0affffffff0f41')))),
    ],
  };
  it.each(Object.keys(lies))('of gigabytes is refused before anything is allocated: %s', async (name) => {
    for (const body of lies[name] ?? []) await expectRefused(byName(name), body);
  });

  it('is taken where it is negative for a list in Thrift, which to Zipkin is an empty one', async () => {
    expect((await send(byName('Zipkin v1 Thrift'), hex('0cffffffff'))).status).toBe(202);
  });
});

describe('a body ten thousand levels deep', () => {
  const depth = 10_000;
  const around = (open: string, middle: string, close: string) => open.repeat(depth) + middle + close.repeat(depth);
  const ids = '"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331"';
  const nested = (wrap: (value: Buffer) => Buffer) => {
    let value = delimited(1, 'x');
    for (let level = 0; level < depth; level++) value = wrap(value);
    const attribute = delimited(9, Buffer.concat([delimited(1, 'k'), delimited(2, value)]));
    return delimited(1, delimited(2, delimited(2, attribute)));
  };
  const key = delimited(1, 'k');
  it.each<[string, string, () => Buffer | string]>([
    ['Zipkin v1 JSON', 'an array', () => '['.repeat(depth)],
    ['Zipkin v1 JSON', 'an unknown field', () => `[{"traceId":"1","id":"1","x":${around('[', '', ']')}}]`],
    ['Zipkin v1 JSON', 'a value', () => `[{"binaryAnnotations":[{"key":"a","value":${around('{"a":', '1', '}')}}]}]`],
    ['Zipkin v2 JSON', 'an array', () => '['.repeat(depth)],
    ['Zipkin v2 JSON', 'an unknown field', () => `[{"traceId":"1","id":"1","x":${around('{"a":', '1', '}')}}]`],
    ['Zipkin v2 JSON', 'a tag', () => `[{"traceId":"1","id":"1","tags":{"a":${around('[', '', ']')}}}]`],
    ['OTLP JSON', 'an array', () => '['.repeat(depth)],
    ['OTLP JSON', 'an unknown field', () => `{"x":${around('[', '', ']')}}`],
    [
      'OTLP JSON',
      'an attribute',
      () =>
        `{"resourceSpans":[{"scopeSpans":[{"spans":[{${ids},"attributes":[{"key":"k","value":${around('{"arrayValue":{"values":[', '{}', ']}}')}}]}]}]}]}`,
    ],
    [
      'Zipkin v1 Thrift',
      'a struct',
      () => Buffer.from(`0c00000001${'0c0063'.repeat(depth)}${'00'.repeat(depth)}`, 'hex'),
    ],
    ['Zipkin v1 Thrift', 'a list', () => Buffer.from(`0c000000010f0063${'0f00000001'.repeat(depth)}00`, 'hex')],
    ['Zipkin v2 protobuf', 'a group', () => delimited(1, Buffer.from('9b06'.repeat(depth), 'hex'))],
    ['OTLP protobuf', 'a group', () => Buffer.from('9b06'.repeat(depth), 'hex')],
    ['OTLP protobuf', 'an array', () => nested((value) => delimited(5, delimited(1, value)))],
    [
      'OTLP protobuf',
      'a map',
      () => nested((value) => delimited(6, delimited(1, Buffer.concat([key, delimited(2, value)])))),
    ],
  ])('is refused: %s, %s', async (name, _, make) => {
    await expectRefused(byName(name), Buffer.from(make() as string));
  });
});

describe('an id', () => {
  const status = async (format: RawFormat, span: RawSpan) => {
    const { status: code, text } = await send(format, format.encode([span]));
    // OTLP says 200 and which spans it did not take.
    return code === 200 && /bytes, not|all zeros/.test(text) ? 400 : code;
  };
  const lengths = [0, 1, 2, 8, 15, 16, 17, 18, 31, 32, 33, 34, 64, 1000];
  /** The lengths, in digits, that a trace's and a span's id may have. Thrift has two fields of eight bytes and no lengths. */
  const taken: Readonly<Record<string, { traceId: number[]; id: number[] }>> = {
    'Zipkin v1 JSON': { traceId: lengths.slice(1, 10), id: lengths.slice(1, 10) },
    'Zipkin v2 JSON': { traceId: lengths.slice(1, 10), id: lengths.slice(1, 6) },
    'Zipkin v2 protobuf': { traceId: lengths.slice(1, 10), id: lengths.slice(1, 6) },
    'OTLP protobuf': { traceId: [32], id: [16] },
    'OTLP JSON': { traceId: [32], id: [16] },
  };
  it.each(Object.keys(taken))('is taken in the lengths of the format and refused in any other: %s', async (name) => {
    const format = byName(name);
    // A byte has two digits.
    const some = format.contentType === 'application/x-protobuf' ? lengths.filter((n) => n % 2 === 0) : lengths;
    const found: { traceId: number[]; id: number[] } = { traceId: [], id: [] };
    for (const length of some) {
      for (const field of ['traceId', 'id'] as const) {
        const code = await status(format, { ...freshIds(format), [field]: 'f'.repeat(length) });
        expect([format.taken, 400]).toContain(code);
        if (code === format.taken) found[field].push(length);
      }
    }
    const has = (length: number) => some.includes(length);
    expect(found).toEqual({ traceId: taken[name]?.traceId.filter(has), id: taken[name]?.id.filter(has) });
  });

  it.each(rawFormats.map((format) => [format.name, format] as const))('of zeros is refused: %s', async (_, format) => {
    const zeros = '0'.repeat(32);
    expect(await status(format, { ...freshIds(format), traceId: zeros })).toBe(400);
    expect(await status(format, { ...freshIds(format), id: zeros.slice(16) })).toBe(400);
  });

  it('of fewer digits comes back with zeros in front, whichever of them are asked for', async () => {
    const format = byName('Zipkin v2 JSON');
    for (const [sent, shown] of [
      ['f00d1', '00000000000f00d1'],
      ['1f00d000000000000002', '0000000000001f00d000000000000002'],
    ] as const) {
      expect(await status(format, { traceId: sent, id: '7' })).toBe(202);
      for (const asked of [sent, shown]) {
        expect(JSON.parse((await agent.get(`/api/v2/trace/${asked}`)).text)).toEqual([
          { traceId: shown, id: '0000000000000007' },
        ]);
      }
    }
  });
});

it('logged no error over any of it', () => {
  expect(
    agent
      .output()
      .split('\n')
      .filter((line) => /"level":(50|60)/.test(line)),
  ).toEqual([]);
});
