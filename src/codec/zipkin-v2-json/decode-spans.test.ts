import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { assertStandsMutants, makeMutants } from '../../../test/contract/decoder-kit.ts';
import { readSpanFixture, spanFixtures, zipkinV2Json } from '../../../test/contract/decoders.ts';
import type { Span } from '../../model/span.ts';
import { CodecError } from '../codec-error.ts';
import { decodeSpans } from './decode-spans.ts';
import { encodeSpans } from './encode-spans.ts';
import { readSpansExactly } from './exact-reader.ts';
import { readSpansFast } from './fast-reader.ts';

const conformance = process.env['CONFORMANCE_DIR'] ?? '../shared/conformance';
const accepts = join(conformance, 'traces/zipkin-accepts.json');

function decode(text: string): Span[] {
  return decodeSpans(Buffer.from(text));
}

function decodeOne(fields: string): Span {
  const [span] = decode(`[{"traceId":"1","id":"2",${fields}}]`);
  if (span === undefined) throw new Error('no span');
  return span;
}

function refusal(text: string): string {
  try {
    decode(text);
  } catch (error) {
    expect(error).toBeInstanceOf(CodecError);
    return error instanceof Error ? error.message : '';
  }
  throw new Error(`taken: ${text.slice(0, 200)}`);
}

describe('spans that real senders post', () => {
  it.each(spanFixtures)('writes %s as Zipkin writes it', (name) => {
    const encoded = encodeSpans(decodeSpans(readSpanFixture(name)));
    expect(encoded).toBe(readSpanFixture(`${name}.zipkin-3.6.1`).toString());
    expect(encodeSpans(decode(encoded))).toBe(encoded);
  });

  it('reads what Envoy posts without the exact reader', () => {
    for (const name of spanFixtures.slice(0, 3)) expect(readSpansFast(readSpanFixture(name).toString())).toBeDefined();
  });

  it('names the workload by what Istio put into the span', () => {
    const [span] = decodeSpans(readSpanFixture('envoy-1.40-post-2'));
    expect(span?.resource).toMatchObject({ service: 'b', namespace: 'echo', pod: 'b-v1', version: 'v1' });
  });

  it.skipIf(!existsSync(accepts))('takes and refuses the recorded bodies as Zipkin 3.6.1 did', () => {
    const { cases } = JSON.parse(readFileSync(accepts, 'utf8'));
    let seen = 0;
    for (const { name, path, contentType, accept, bodyBase64 } of cases) {
      if (!path.endsWith('/v2/spans') || !contentType.includes('json')) continue;
      seen++;
      const isTaken = (() => {
        try {
          return decodeSpans(Buffer.from(bodyBase64, 'base64')) !== undefined;
        } catch (error) {
          expect(error).toBeInstanceOf(CodecError);
          return false;
        }
      })();
      expect(isTaken, name).toBe(accept);
    }
    expect(seen).toBeGreaterThan(0);
  });
});

describe('what the model keeps of a span', () => {
  it('keeps the sender’s spelling of names, which only the way out folds', () => {
    const span = decodeOne('"name":"Get /A","localEndpoint":{"serviceName":"Front"}');
    expect([span.name, span.localEndpoint?.serviceName]).toEqual(['Get /A', 'Front']);
    expect(encodeSpans([span])).toContain('"name":"get /a","localEndpoint":{"serviceName":"front"}');
  });

  it('pads ids, drops a parent that is the span itself, and the shared flag of a client', () => {
    const span = decodeOne('"parentId":"0002","kind":"CLIENT","shared":true');
    expect(span).toMatchObject({
      traceId: '1'.padStart(32, '0'),
      id: '2'.padStart(16, '0'),
      parentId: undefined,
      shared: false,
    });
  });

  it('keeps the text of a number where Zipkin wants text, and reads numbers out of text', () => {
    const span = decodeOne('"timestamp":"1750000000000000","duration":1.5e3,"tags":{"a":1.50,"b":1e400}');
    expect(span).toMatchObject({
      startUs: 1_750_000_000_000_000,
      durationUs: 1500,
      attributes: { a: '1.50', b: '1e400' },
    });
  });

  it('calls a span an error for its error tag, or for HTTP 5xx on a server', () => {
    expect(decodeOne('"tags":{"error":""}').status).toBe('error');
    expect(decodeOne('"kind":"SERVER","tags":{"http.status_code":"503"}').status).toBe('error');
    expect(decodeOne('"kind":"CLIENT","tags":{"http.status_code":"503"}').status).toBe('unset');
    expect(decodeOne('"kind":"SERVER","tags":{"http.status_code":"404"}').status).toBe('unset');
  });

  it('adds up repeated annotations and tags, and takes the last of everything else, as Zipkin does', () => {
    const span = decodeOne(
      '"tags":{"a":"1","b":"1"},"tags":{"a":"2"},"annotations":[{"timestamp":2,"value":"x"}],"annotations":[{"timestamp":1,"value":"y"}],"name":"a","name":"b","name":null',
    );
    expect(span).toMatchObject({ name: 'b', attributes: { a: '2', b: '1' } });
    expect(span.events.map(({ value }) => value)).toEqual(['y', 'x']);
  });

  it('keeps tags that are named like parts of every object', () => {
    const { attributes } = decodeOne('"tags":{"__proto__":"x","constructor":1}');
    expect(Object.entries(attributes).sort()).toEqual([
      ['__proto__', 'x'],
      ['constructor', '1'],
    ]);
  });

  it.each([
    ['::ffff:1.2.3.4', { ipv4: '1.2.3.4' }],
    ['2001:0DB8:0:0:0:0:0:C001', { ipv6: '2001:db8::c001' }],
    ['2001:0:0:4:0:0:0:0', { ipv6: '2001::4:0:0:0:0' }],
    ['::', { ipv6: '::' }],
    ['::1', { ipv6: '::1' }],
  ])('writes the address %s canonically', (text, expected) => {
    expect(decodeOne(`"localEndpoint":{"ipv4":"${text}"}`).localEndpoint).toMatchObject(expected);
  });

  it.each(['256.1.1.1', '1.2.3', '1::2::3', 'fe80::1%eth0', '1.2.3.4.', ''])(
    'leaves out %j, which is no address',
    (text) => {
      expect(decodeOne(`"localEndpoint":{"ipv6":"${text}","port":0}`).localEndpoint).toBeUndefined();
    },
  );
});

describe('refusals in words for the sender', () => {
  it.each([
    ['{}', 'Expected a JSON_V2 encoded list\n'],
    [' []', 'Expected a JSON_V2 encoded list\n'],
    ['\ufeff[]', 'Expected a JSON_V2 encoded list\n'],
    ['[{"binaryAnnotations":[]}]', 'Expected a JSON_V2 encoded list, but received: JSON_V1\n'],
    [
      '[{"traceId":null}]',
      'Expected a string but was NULL at line 1 column 17 path $[0].traceId reading List<Span> from json',
    ],
    [
      '[{"traceId":"1","id":"1","annotations":[{"timestamp":1}]}]',
      'Incomplete annotation at $[0].annotations[0].timestamp reading List<Span> from json',
    ],
    ['[{"traceId":"1","id":"1","tags":{"a":null}}]', 'No value at $[0].tags.a reading List<Span> from json'],
  ])('says what is wrong with %s', (text, message) => {
    expect(refusal(text)).toBe(message);
  });

  it('names line and column of a mistake further down', () => {
    expect(refusal('[\n{"traceId":"1","id":"1"},\n  {"traceId":"X","id":"1"}]')).toMatch(
      /^X should be lower-hex .* line 3 column 17 path \$\[1\]\.traceId/,
    );
  });

  it.each([
    '[{}]',
    '[null]',
    '[{"traceId":"0","id":"1"}]',
    '[{"traceId":"1","id":"0000000000000000"}]',
    '[{"traceId":"1","id":"1","kind":"client"}]',
    '[{"traceId":"1","id":"1","timestamp":1.5}]',
    '[{"traceId":"1","id":"1","timestamp":1e400}]',
    '[{"traceId":"1","id":"1","localEndpoint":{"port":65536}}]',
    '[{"traceId":"1","id":"1",}]',
    "[{'traceId':'1','id':'1'}]",
    '[{"traceId":"1","id":"1"} /* */]',
    '[{"traceId":"1","id":"1","x":01}]',
  ])('refuses %s', (text) => {
    expect(refusal(text)).toContain('reading List<Span> from json');
  });

  it.each(['', '[]', '[ ]', '[] and more', '\n[]'])('takes %j as a list without spans', (text) => {
    expect(decode(text)).toEqual([]);
  });

  it.each([
    '[{"traceId":"1","id":"1"}] and more',
    '[{"traceId":"1","id":"1","debug":True}]',
    '[{"traceId":"1","id":"1","name":"a\tb\\\'"}]',
  ])('takes %j, as lenient as Zipkin’s reader', (text) => {
    expect(decode(text)).toHaveLength(1);
  });
});

describe('extreme bodies', () => {
  it('refuses deep nesting whatever it is made of', () => {
    for (const open of ['[', '{"a":', '[{"a":', '[ ', '[0,']) {
      expect(refusal(`[{"traceId":"1","id":"1","x":${open.repeat(200_000)}`)).toContain('Nesting limit 255');
    }
    expect(refusal('['.repeat(2_000_000))).toContain('reading List<Span>');
  });

  it('takes 10,000 tags, a tag of 1 MB and a megabyte of escapes', () => {
    const many = Array.from({ length: 10_000 }, (_, i) => `"k${i}":"v"`).join(',');
    expect(Object.keys(decodeOne(`"tags":{${many}}`).attributes)).toHaveLength(10_000);
    expect(decodeOne(`"tags":{"a":"${'x'.repeat(1_000_000)}"}`).attributes['a']).toHaveLength(1_000_000);
    expect(decodeOne(`"tags":{"a":"${'\\n'.repeat(500_000)}","b":1}`).attributes['a']).toHaveLength(500_000);
  });

  it('refuses numbers that are no numbers to Gson', () => {
    expect(refusal(`[{"traceId":"1","id":"1","x":1.${'0'.repeat(1022)}}]`)).toContain('expected a value');
    expect(refusal(`[{"traceId":"1","id":"1","x":1${'0'.repeat(70)}}]`)).toContain('expected a value');
    expect(refusal(`[{"traceId":"1","id":"1","timestamp":"${'9'.repeat(100_000)}"}]`)).toContain('Expected a long');
  });

  it('makes half surrogate pairs question marks and escapes line separators, as Zipkin does', () => {
    const span = decodeOne('"tags":{"a":"\\ud800x\\udc00","b":"\\ud83d\\ude00\\u2028\\\\ud800"}');
    expect(span.attributes).toEqual({ a: '?x?', b: '😀\u2028\\ud800' });
    expect(encodeSpans([span])).toContain('"tags":{"a":"?x?","b":"😀\\u2028\\\\ud800"}');
  });

  it('replaces bytes that are no UTF-8', () => {
    const [span] = decodeSpans(Buffer.from('[{"traceId":"1","id":"1","name":"a\xff"}]', 'latin1'));
    expect(span?.name).toBe('a\ufffd');
  });
});

describe('the two readers', () => {
  it('agree on every mutant that the fast one takes', () => {
    const seed = 20_261_121;
    let taken = 0;
    for (const mutant of makeMutants(zipkinV2Json, { mutants: 10_000, seed })) {
      const text = mutant.toString();
      const fast = readSpansFast(text);
      if (fast === undefined) continue;
      taken++;
      expect(fast, `seed ${seed}: ${text}`).toEqual(readSpansExactly(text));
    }
    expect(taken).toBeGreaterThan(1000);
  });

  it('stand 10,000 mutants', () => {
    expect(assertStandsMutants(zipkinV2Json, { mutants: 10_000, seed: 48 }).refused).toBeGreaterThan(1000);
  });
});
