import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { assertStandsMutants, createChoices, makeMutants } from '../../../test/contract/decoder-kit.ts';
import { prometheusText } from '../../../test/contract/decoders.ts';
import { CodecError } from '../codec-error.ts';
import { formatOpenMetricsFloat, parseGoFloat } from '../exposition/go-float.ts';
import { createTextParser, type ParsedPage } from './text-parser.ts';

const cases = join(process.env['CONFORMANCE_DIR'] ?? '../shared/conformance', 'exposition/cases.json');

function parse(text: string): ParsedPage {
  return createTextParser().parse(Buffer.from(text));
}

function labelsOf(text: string): readonly Record<string, string>[] {
  return parse(text).samples.map(({ labels }) => Object.fromEntries(labels));
}

function refusal(text: string): string {
  try {
    parse(text);
  } catch (error) {
    expect(error).toBeInstanceOf(CodecError);
    return error instanceof Error ? error.message : '';
  }
  throw new Error(`taken: ${text}`);
}

describe('a page in text format 0.0.4', () => {
  it.skipIf(!existsSync(cases))('means what it means to Prometheus 3.5, case by case', () => {
    const all = JSON.parse(readFileSync(cases, 'utf8')).cases;
    let seen = 0;
    for (const { id, kind, contentType, body, bodyBase64, expect: expected } of all) {
      if (kind !== 'parse' || contentType.includes('openmetrics')) continue;
      seen++;
      const page = bodyBase64 === undefined ? Buffer.from(body) : Buffer.from(bodyBase64, 'base64');
      if (!expected.ok) {
        expect(() => createTextParser().parse(page), id).toThrow(CodecError);
        continue;
      }
      const { samples, metadata } = createTextParser().parse(page);
      const found = samples.map(({ labels, value, timestampMs }) => ({
        labels: Object.fromEntries(labels),
        value,
        timestampMs,
      }));
      for (const { labels, normalizedLabels, value, timestampMs } of expected.series) {
        const wanted = normalizedLabels ?? labels;
        const series = found.find(
          (sample) =>
            JSON.stringify(Object.entries(sample.labels).sort()) === JSON.stringify(Object.entries(wanted).sort()),
        );
        expect(series, `${id} ${JSON.stringify(wanted)}`).toBeDefined();
        expect(series?.value, id).toBe(Number(value.replace('Inf', 'Infinity')));
        expect(series?.timestampMs, id).toBe(timestampMs);
      }
      for (const [name, entry] of Object.entries(expected.metadata ?? {}))
        expect(metadata.get(name), id).toMatchObject(entry ?? {});
    }
    expect(seen).toBeGreaterThan(0);
  });

  it('reads labels, value and timestamp, labels sorted and empty ones absent', () => {
    const { samples } = parse('m{b="2",a="1",c=""} 1.5 1700000000000\n');
    expect(samples).toEqual([
      {
        seriesText: 'm{b="2",a="1",c=""}',
        labels: [
          ['__name__', 'm'],
          ['a', '1'],
          ['b', '2'],
        ],
        value: 1.5,
        timestampMs: 1_700_000_000_000,
      },
    ]);
  });

  it('unescapes label values and HELP, and keeps escapes it does not know', () => {
    const { samples, metadata } = parse('# HELP m a\\\\b\\nc\\"d\nm{a="\\"\\\\\\n\\t"} 1\n');
    expect(samples[0]?.labels[1]).toEqual(['a', '"\\\n\\t']);
    expect(metadata.get('m')).toEqual({ type: undefined, help: 'a\\b\nc\\"d' });
  });

  it('writes le and quantile as floats inside their families only, and not at all when told', () => {
    const page =
      'x{le="1"} 1\n# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="1e6",quantile="1"} 1\n# TYPE g gauge\nx{le="1"} 1\n';
    expect(labelsOf(page).map(({ le }) => le)).toEqual(['1', '1.0', '1e+06', '1']);
    const plain = createTextParser({ normalizesNumberLabels: false }).parse(Buffer.from(page));
    expect(plain.samples.map(({ labels }) => Object.fromEntries(labels)['le'])).toEqual(['1', '1', '1e6', '1']);
  });

  it('takes names in quotes', () => {
    expect(labelsOf('{"a.b"} 1\n{"a.b",c="d"} 1\nm{"x.y"="z",} 1\n')).toEqual([
      { __name__: 'a.b' },
      { __name__: 'a.b', c: 'd' },
      { __name__: 'm', 'x.y': 'z' },
    ]);
  });

  it.each([
    ['a 1\nb\n', 'line 2: expected value after metric, got the end of the line'],
    ['a 1\n\n# c\nb x\n', 'line 4: expected a float, got "x"'],
    ['a 1 2 3\n', 'line 1: expected new record after timestamp, got "3"'],
    ['a 1 -5\n', 'line 1: expected timestamp in milliseconds or new record, got "-"'],
    ['{A}0', 'line 1: expected equal, got "}"'],
    ['a{"b"} 1', 'line 1: metric name already set'],
    ['{a="b"} 1', 'line 1: metric name not set'],
    ['m{a="1",a="2"} 1', 'line 1: label "a" is there twice'],
    ['m{__name__="x"} 1', 'line 1: label "__name__" is there twice'],
    ['# TYPE m counter \nm 1', 'line 1: invalid metric type "counter "'],
    ['m{a="1" 1', 'line 1: expected label name, got "1"'],
    ['m 1 99999999999999999999', 'line 1: timestamp 99999999999999999999 does not fit into 64 bits'],
  ])('refuses the whole page for %j and says where', (page, message) => {
    expect(refusal(page)).toBe(message);
  });

  it('refuses names and values that are no UTF-8, and takes any bytes in a comment', () => {
    const parser = createTextParser();
    expect(() => parser.parse(Buffer.from('m{a="\xff"} 1\n', 'latin1'))).toThrow(
      'line 1: the label value is not valid UTF-8',
    );
    expect(() => parser.parse(Buffer.from('# HELP m \xff\n', 'latin1'))).toThrow('the HELP text is not valid UTF-8');
    expect(parser.parse(Buffer.from('# \xff\nm 1\n', 'latin1')).samples).toHaveLength(1);
    expect(parser.parse(Buffer.from('m{a="\ufffd"} 1\n')).samples).toHaveLength(1);
  });
});

describe('the memory of a parser', () => {
  it('gives the same labels for the same series, in any order, and forgets what is gone', () => {
    const parser = createTextParser();
    const lines = Array.from({ length: 3000 }, (_, i) => `m{i="${i}"} ${i}\n`);
    const first = parser.parse(Buffer.from(lines.join('')));
    const second = parser.parse(Buffer.from([...lines].reverse().join('')));
    expect(second.samples.at(-1)?.labels).toBe(first.samples[0]?.labels);
    parser.parse(Buffer.from('m 1\n'));
    expect(parser.remembered).toBe(1);
  });

  it('does not take a longer name, or a name with labels, for the bare name it knows', () => {
    const parser = createTextParser();
    parser.parse(Buffer.from('m 1\n'));
    for (const page of ['m_total 1\n', 'm {a="b"} 1\n', 'm\t{a="b"} 1\n', 'm\t1\n']) {
      expect(parser.parse(Buffer.from(page)).samples).toEqual(parse(page).samples);
    }
  });

  it('changes nothing in what pages mean', () => {
    const seed = 3;
    const parser = createTextParser();
    const attempt = (work: () => ParsedPage) => {
      try {
        const { samples, metadata } = work();
        return { samples, metadata };
      } catch (error) {
        return String(error);
      }
    };
    for (const mutant of makeMutants(prometheusText, { mutants: 3000, seed })) {
      expect(
        attempt(() => parser.parse(mutant)),
        `seed ${seed}`,
      ).toEqual(attempt(() => createTextParser().parse(mutant)));
    }
  });

  it('stands 10,000 mutants', () => {
    expect(assertStandsMutants(prometheusText, { mutants: 10_000, seed: 48 }).refused).toBeGreaterThan(1000);
  });
});

describe('floats', () => {
  it('are read as Go reads them', () => {
    for (const text of ['1', '+7', '-.5', '5.', '0009', '1e3', '4e-400', 'Inf', '+infinity', '-INF', 'nan'])
      expect(parseGoFloat(text), text).toBeDefined();
    for (const text of ['', '-', '.', '1e', '1e309', '0x1p3', '1_0', '+nan', ' 1', '1\r', '1\u00a0', 'Infinit', 'true'])
      expect(parseGoFloat(text), text).toBeUndefined();
  });

  it('are written as OpenMetrics has them, and mean the same', () => {
    const examples: readonly (readonly [number, string])[] = [
      [1, '1.0'],
      [0, '0.0'],
      [0.002, '0.002'],
      [1e-5, '1e-05'],
      [100_000, '100000.0'],
      [1e6, '1e+06'],
      [1_234_567, '1.234567e+06'],
      [-2.5, '-2.5'],
      [Number.POSITIVE_INFINITY, '+Inf'],
    ];
    for (const [value, text] of examples) expect(formatOpenMetricsFloat(value)).toBe(text);
    const random = createChoices(9);
    for (let i = 0; i < 1000; i++) {
      const value = random(2 ** 31) * 10 ** (random(40) - 20);
      expect(parseGoFloat(formatOpenMetricsFloat(value))).toBe(value);
    }
  });
});
