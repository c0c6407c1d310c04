import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { assertStandsMutants, createChoices, makeMutants } from '../../../test/contract/decoder-kit.ts';
import { openMetrics, prometheusText } from '../../../test/contract/exposition-decoders.ts';
import { CodecError } from '../codec-error.ts';
import { type ExposedSeries, type ExpositionFormat, formatOfContentType } from './exposition.ts';
import { createExpositionParser } from './parser.ts';

const directory = join(process.env['CONFORMANCE_DIR'] ?? '../shared/conformance', 'exposition');

interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  readonly timestampMs?: number;
}

function createReader(format: ExpositionFormat = 'text') {
  const parser = createExpositionParser<ExposedSeries>({ remember: (series) => series });
  const read = (body: string | Buffer) => parser.parse(Buffer.from(body), format);
  const samples = (body: string | Buffer): readonly Sample[] => {
    const page = read(body);
    return page.series.map(({ labels }, i) => {
      const time = page.timestampsMs[i] ?? Number.NaN;
      const sample = { labels: Object.fromEntries(labels), value: page.values[i] ?? Number.NaN };
      return Number.isNaN(time) ? sample : { ...sample, timestampMs: time };
    });
  };
  return { parser, read, samples };
}

const samplesOf = (body: string, format?: ExpositionFormat) => createReader(format).samples(body);
const readOnce = (body: string, format?: ExpositionFormat) => createReader(format).read(body);

function refusal(body: string, format?: ExpositionFormat): string {
  try {
    readOnce(body, format);
  } catch (error) {
    expect(error).toBeInstanceOf(CodecError);
    return error instanceof Error ? error.message : '';
  }
  throw new Error(`taken: ${body}`);
}

describe('a page in text format 0.0.4', () => {
  it('gives labels sorted, value and timestamp, and empty labels as absent', () => {
    const page = readOnce('m{b="2",a="1",c=""} 1.5 1700000000000\n');
    expect(page.series[0]?.labels).toEqual([
      ['__name__', 'm'],
      ['a', '1'],
      ['b', '2'],
    ]);
    expect([page.length, page.values[0], page.timestampsMs[0], page.hasTimestamps]).toEqual([1, 1.5, 1.7e12, true]);
  });

  it('unescapes label values and HELP, and keeps escapes it does not know', () => {
    const page = readOnce('# HELP m a\\\\b\\nc\\"d\nm{a="\\"\\\\\\n\\t"} 1\n');
    expect(page.series[0]?.labels[1]).toEqual(['a', '"\\\n\\t']);
    expect(page.metadata.get('m')).toEqual({ family: 'm', type: 'unknown', help: 'a\\b\nc\\"d', unit: '' });
  });

  it.each([
    [
      'labels',
      `m{${Array.from({ length: 4097 }, (_, i) => `a${i}="",`).join('')}} 1\n`,
      'a series has more than 4096 labels',
    ],
    ['label value', `m{a="${'\\n'.repeat(131_072)}"} 1\n`, 'the label value has more than 262144 bytes'],
    ['help', `# HELP m ${'\\n'.repeat(131_073)}\n`, 'the HELP text has more than 262144 bytes'],
  ])('refuses %s beyond what one turn of the event loop can read', (_, text, reason) => {
    expect(() => createReader().read(text)).toThrow(`line 1: ${reason}`);
  });

  it('tells which labels a line has empty, which is more than not having them', () => {
    const parser = createExpositionParser({ remember: ({ emptyLabels }) => emptyLabels });
    const page = parser.parse(Buffer.from('a{b="",c="1",d=""} 1\na{c="1"} 1\na 1\n'), 'text');
    expect(page.series).toEqual([['b', 'd'], undefined, undefined]);
  });

  it('writes le and quantile as floats below a TYPE line of their kind only, and not at all when told', () => {
    const page =
      'x{le="1"} 1\n# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="1e6",quantile="1"} 1\n# TYPE g gauge\nx{le="1"} 1\n';
    expect(samplesOf(page).map(({ labels }) => labels['le'])).toEqual(['1', '1.0', '1e+06', '1']);
    const options = { remember: (series: ExposedSeries) => series, normalizesNumberLabels: false };
    const plain = createExpositionParser(options).parse(Buffer.from(page), 'text');
    expect(plain.series.map(({ labels }) => Object.fromEntries(labels)['le'])).toEqual(['1', '1', '1e6', '1']);
  });

  it('takes names in quotes, in any script', () => {
    expect(
      samplesOf('{"a.b"} 1\n{"a.b",c="d"} 1\nm{"x.y"="z",} 1\n{"Öl","é"="€"} 1\n').map(({ labels }) => labels),
    ).toEqual([
      { __name__: 'a.b' },
      { __name__: 'a.b', c: 'd' },
      { __name__: 'm', 'x.y': 'z' },
      { __name__: 'Öl', é: '€' },
    ]);
  });

  it('reads every way to write a number as Go does', () => {
    const numbers = [
      '1',
      '-0',
      '.5',
      '5.',
      '+7',
      '0009',
      '1e3',
      '123456789012345',
      '1234567890123456789',
      '0.1',
      '4e-400',
    ];
    const exact = ['0.30000000000000004', '1.7976931348623157e+308', '9007199254740993', '123456789.123456', '5e-324'];
    for (const text of [...numbers, ...exact]) expect(samplesOf(`m ${text}`)[0]?.value, text).toBe(Number(text));
    for (const text of ['', '.', '1.2.3', '1_0', '0x1', '1e', '1e309', '--1', '1\r'])
      expect(() => readOnce(`m ${text}`), text).toThrow(CodecError);
    const random = createChoices(5);
    for (let i = 0; i < 500; i++) {
      const text = `${random(10 ** random(16))}.${String(random(10 ** random(12))).padStart(random(13), '0')}`;
      expect(samplesOf(`m ${text}`)[0]?.value, text).toBe(Number(text));
    }
  });

  it.each([
    ['a 1\nb\n', 'line 2: expected value after metric, got the end of the line, in "b"'],
    ['a 1\n\n# c\nb x\n', 'line 4: expected a float, got "x", in "b x"'],
    ['a 1 2 3\n', 'line 1: expected a new line after the timestamp, got "3", in "a 1 2 3"'],
    ['a 1 -5\n', 'line 1: expected a timestamp in milliseconds or a new line, got "-", in "a 1 -5"'],
    ['{A}0', 'line 1: expected equal, got "}", in "{A}0"'],
    ['a{"b"} 1', 'line 1: metric name already set, in "a{\\"b\\"} 1"'],
    ['{a="b"} 1', 'line 1: metric name not set, in "{a=\\"b\\"} 1"'],
    ['m{a="1",a="2"} 1', 'line 1: label "a" is there twice, in'],
    ['m{__name__="x"} 1', 'line 1: label "__name__" is there twice, in'],
    ['# TYPE m counter \nm 1', 'line 1: invalid metric type "counter ", in "# TYPE m counter "'],
    ['m{a="1" 1', 'line 1: expected label name, got "1", in'],
    ['m 1 99999999999999999999', 'line 1: timestamp "99999999999999999999" does not fit into 64 bits, in'],
    ['m{a="\\\n"} 1', 'line 1: the quotes of the label value are not closed, in'],
  ])('refuses the whole page for %j and says where', (page, message) => {
    expect(refusal(page)).toContain(message);
  });

  it('says what is wrong in few words, however long the line is, and with no control characters', () => {
    const message = refusal(`m{a="${'x'.repeat(100_000)}"} \u001b[31m${'y'.repeat(100_000)}`);
    expect(message.length).toBeLessThan(500);
    expect(message).not.toContain('\u001b');
  });

  it('refuses names and values that are no UTF-8, and takes any bytes in a comment', () => {
    const { read } = createReader();
    expect(() => read(Buffer.from('m{a="\xff"} 1\n', 'latin1'))).toThrow('line 1: the label value is not valid UTF-8');
    expect(() => read(Buffer.from('# HELP m \xff\n', 'latin1'))).toThrow('the HELP text is not valid UTF-8');
    expect(read(Buffer.from('# \xff\nm 1\n', 'latin1'))).toHaveLength(1);
    expect(read(Buffer.from('m{a="\ufffd"} 1\n'))).toHaveLength(1);
  });
});

describe('a page in OpenMetrics 1.0', () => {
  it('gives timestamps of seconds in milliseconds, and exemplars with their own', () => {
    const page = readOnce(
      '# TYPE a counter\na_total 1 -1.5 # {b="2",a="1",c=""} 0.5 1520879607.789\na_total{x="y"} 2\n# EOF',
      'openmetrics',
    );
    expect([...page.timestampsMs.subarray(0, 2)]).toEqual([-1500, Number.NaN]);
    const labels = [
      ['a', '1'],
      ['b', '2'],
    ];
    expect(page.exemplars).toEqual([{ sample: 0, labels, value: 0.5, timestampMs: 1_520_879_607_789 }]);
    expect(page.series[0]).toMatchObject({ name: 'a_total', family: 'a', type: 'counter' });
  });

  it('gives metadata with units, help unescaped, families of every type', () => {
    const body =
      '# TYPE a_s gaugehistogram\n# UNIT a_s s\n# HELP a_s x \\"y\\" \\n\na_s_bucket{le="+Inf"} 1\na_s_gcount 1\na_s_gsum 2\n' +
      '# TYPE i info\ni_info{v="1"} 1\n# TYPE s stateset\ns{s="on"} 1\nother_total 1\n# EOF\n';
    const page = readOnce(body, 'openmetrics');
    expect(page.metadata.get('a_s')).toEqual({ family: 'a_s', type: 'gaugehistogram', help: 'x "y" \n', unit: 's' });
    expect(page.series.map(({ family, type }) => `${family} ${type}`)).toEqual([
      'a_s gaugehistogram',
      'a_s gaugehistogram',
      'a_s gaugehistogram',
      'i info',
      's stateset',
      'other_total unknown',
    ]);
  });

  it('leaves out exemplars whose labels are longer than storage keeps, and counts them', () => {
    const page = readOnce(
      `a_total 1 # {a="${'é'.repeat(127)}"} 1\nb_total 1 # {a="${'é'.repeat(128)}"} 1\n# EOF`,
      'openmetrics',
    );
    expect([page.length, page.exemplars.length, page.longExemplars]).toEqual([2, 1, 1]);
  });

  it.each([
    ['a 1\n', 'line 1: the page does not end with # EOF'],
    ['a 1\n# EOF\n\n', 'line 3: something follows # EOF'],
    ['a 1\n# EOFblah', 'line 2: something follows # EOF'],
    ['a 1\n\n# EOF\n', 'line 2: expected a metric name, got the end of the line'],
    ['a  1\n# EOF\n', 'line 1: expected value after metric, got " "'],
    ['a{b="c" ,d="e"} 1\n# EOF\n', 'line 1: expected comma or brace close, got " "'],
    ['a{b="c\nd"} 1\n# EOF\n', 'line 1: a line ends inside the label value'],
    ['# TYPE a untyped\n# EOF\n', 'line 1: invalid metric type "untyped"'],
    ['# UNIT a_x s\n# EOF\n', 'line 1: the unit "s" is not the end of the metric\'s name'],
    ['#x\n# EOF\n', 'line 1: a line that begins with # must be HELP, TYPE, UNIT or EOF'],
    ['#', 'line 1: a line that begins with # must be'],
    ['a 1 # {a="b"}\n# EOF', "line 1: expected a value after the exemplar's labels"],
    ['a 1 # {"b"} 1\n# EOF', 'line 1: expected equal, got "}"'],
    ['# TYPE a info\na_info 1 # {a="b"} 1\n# EOF', 'line 2: a sample of this type has no exemplars'],
    ['{A}0\n# EOF', 'line 1: expected equal, got "}"'],
  ])('refuses the whole page for %j and says where', (page, message) => {
    expect(refusal(page, 'openmetrics')).toContain(message);
  });

  it('takes an empty body, which a target without metrics answers', () => {
    expect(readOnce('', 'openmetrics')).toHaveLength(0);
  });
});

describe('the format of a page', () => {
  it('is what the content type names, and text where it names nothing known', () => {
    const openMetricsType = 'Application/OpenMetrics-Text ; version=1.0.0; charset=utf-8';
    expect(formatOfContentType(openMetricsType)).toBe('openmetrics');
    for (const type of ['text/plain; version=0.0.4', 'text/html', 'application/json', '', undefined])
      expect(formatOfContentType(type)).toBe('text');
  });
});

describe('the memory of a parser', () => {
  const linesOf = (numbers: readonly number[], round: number) =>
    numbers.map((i) => `m{i="${i}"} ${i + round}\n`).join('');
  const numbers = Array.from({ length: 3000 }, (_, i) => i);

  it('hands out what stands for a series from page to page, in any order, and forgets what is gone', () => {
    const { parser, read } = createReader();
    const first = read(linesOf(numbers, 0)).series;
    const same = read(linesOf(numbers, 1));
    expect(same.series).toBe(first);
    expect(same.isSameSeries).toBe(true);
    const turned = read(linesOf([...numbers].reverse(), 2));
    expect(turned.isSameSeries).toBe(false);
    expect(turned.series.at(-1)).toBe(first[0]);
    const fewer = read(
      linesOf(
        numbers.filter((i) => i % 7 !== 0),
        3,
      ),
    );
    expect(fewer.series[0]).toBe(first[1]);
    expect(read('').isSameSeries).toBe(false);
    expect(parser.remembered).toBe(0);
  });

  it('asks again only for the series whose family has another type now', () => {
    const asked: string[] = [];
    const parser = createExpositionParser({
      remember: ({ name, type }) => {
        asked.push(`${name} ${type}`);
        return name;
      },
    });
    parser.parse(Buffer.from('# TYPE a gauge\na 1\nb 1\n'), 'text');
    parser.parse(Buffer.from('# TYPE a gauge\na 1\nb 1\nc 1\n'), 'text');
    parser.parse(Buffer.from('# TYPE a gauge\n# HELP b B.\na 1\nb 1\nc 1\n'), 'text');
    expect(asked).toEqual(['a gauge', 'b unknown', 'c unknown']);
    parser.parse(Buffer.from('# TYPE a counter\na 1\nb 1\nc 1\n'), 'text');
    expect(asked.slice(3)).toEqual(['a counter']);
  });

  it('takes a page for another one where its text is the same and a series of it is of another type', () => {
    const parser = createExpositionParser({ remember: ({ type }) => type });
    parser.parse(Buffer.from('# TYPE a gauge\na 1\nb 1\n'), 'text');
    expect(parser.parse(Buffer.from('# TYPE a gauge\n# HELP a A.\na 1\nb 1\n'), 'text').isSameSeries).toBe(true);
    const page = parser.parse(Buffer.from('# TYPE a counter\na 1\nb 1\n'), 'text');
    expect([page.isSameSeries, ...page.series]).toEqual([false, 'counter', 'unknown']);
  });

  it('reads as many HELP and TYPE lines as families can need, and refuses a page of more, also one that it knows', () => {
    const { read } = createReader();
    const linesOf = (count: number) => Array.from({ length: count }, (_, i) => `# TYPE f${i} gauge\n`).join('');
    for (let round = 0; round < 2; round++) {
      expect(read(linesOf(50_000)).metadata.size).toBe(50_000);
      expect(() => read(`${linesOf(50_000)}# HELP f H.\n`)).toThrow(
        'line 50001: the page has more than 50000 lines of HELP, TYPE and UNIT',
      );
    }
    expect(read(`${'# a comment\n'.repeat(60_000)}f 1\n`).length).toBe(1);
  });

  it('hands out the same metadata while nothing of it has changed', () => {
    const { read } = createReader();
    const head = '# HELP a A.\n# TYPE a gauge\n';
    const { metadata } = read(`${head}a 1\n`);
    expect(read(`# made at 12:00\n${head}# made by x\na 2\nb 1\n`).metadata).toBe(metadata);
    expect(read(`${head}# HELP b B.\na 2\n`).metadata.get('b')?.help).toBe('B.');
    expect([...read('a 2\n').metadata]).toEqual([]);
  });

  it('reads a page piece by piece as it does at once', () => {
    const body = Buffer.from(`# HELP m M.\n${linesOf(numbers, 0)}\n# made by x\nn 1\n`);
    const { parser } = createReader();
    for (let round = 0; round < 3; round++) {
      const reading = parser.open(body, 'text');
      let pieces = 1;
      while (!reading.advance(100)) pieces++;
      expect(pieces).toBeGreaterThan(30);
      const page = reading.finish();
      expect([page.length, page.series.at(-1)?.name, page.isSameSeries]).toEqual([3001, 'n', round > 0]);
    }
    const openMetricsPage = parser.open(Buffer.from('a 1\nb 2\n'), 'openmetrics');
    expect(openMetricsPage.advance(2)).toBe(false);
    expect(() => openMetricsPage.finish()).toThrow('the page has not been read to its end');
    expect(() => openMetricsPage.advance(1)).toThrow('line 2: the page does not end with # EOF');
    const other = createReader();
    const first = other.parser.open(body, 'text');
    other.read('a 1\n');
    expect(() => first.advance(1)).toThrow('another page has been opened since');
  });

  it('gives the series of a page the same object for a label that many have', () => {
    const { series } = createReader().read('m{a="x",i="1"} 1\nm{a="x",i="2"} 1\n');
    expect(series[0]?.labels[1]).toBe(series[1]?.labels[1]);
  });

  it('does not grow with pages that are refused', () => {
    const { parser, read } = createReader();
    read('m{i="0"} 1\n');
    for (let round = 0; round < 50; round++) {
      const lines = Array.from({ length: 100 }, (_, i) => `m${round}{i="${round * 100 + i}"} 1\n`);
      expect(() => read(`${lines.join('')}bad\n`)).toThrow(CodecError);
    }
    expect(parser.remembered).toBe(1);
    expect(read('m{i="0"} 2\n').isSameSeries).toBe(true);
  });

  it('is what it was before a page that was refused', () => {
    const { read } = createReader();
    const before = read('# TYPE a gauge\na 1\nb 1\n');
    const { series } = before;
    expect(() => read('# TYPE a counter\nc 1\na 1\nb\n')).toThrow(CodecError);
    const after = read('# TYPE a gauge\na 2\nb 2\n');
    expect(after.series).toBe(series);
    expect(after.isSameSeries).toBe(true);
    expect(after.metadata).toBe(before.metadata);
  });

  it('does not take a longer name, or a name with labels, for the bare name it knows', () => {
    const { read, samples } = createReader();
    read('m 1\n');
    for (const page of ['m_total 1\n', 'm {a="b"} 1\n', 'm\t{a="b"} 1\n', 'm\t1\n', 'm{a="b"} 1\n', 'm 1\n'])
      expect(samples(page)).toEqual(samplesOf(page));
  });

  it.each([prometheusText, openMetrics])('changes nothing in what pages mean: $name', (decoder) => {
    const seed = 3;
    const format = decoder === openMetrics ? 'openmetrics' : 'text';
    const { read } = createReader(format);
    const attempt = (work: () => ReturnType<typeof read>) => {
      try {
        const { values, timestampsMs, length, series, metadata, exemplars } = work();
        return { values: values.slice(0, length), times: timestampsMs.slice(0, length), series, metadata, exemplars };
      } catch (error) {
        return String(error);
      }
    };
    for (const mutant of makeMutants(decoder, { mutants: 3000, seed })) {
      const fresh = createReader(format);
      expect(
        attempt(() => read(mutant)),
        `seed ${seed}`,
      ).toEqual(attempt(() => fresh.read(mutant)));
    }
  });

  it.each([prometheusText, openMetrics])('stands 10,000 mutants: $name', (decoder) => {
    const { accepted, refused } = assertStandsMutants(decoder, { mutants: 10_000, seed: 48 });
    expect(accepted).toBeGreaterThan(100);
    expect(refused).toBeGreaterThan(1000);
  });
});

describe.skipIf(!existsSync(directory))('the conformance cases', () => {
  it.each(['cases.json', 'cases.openmetrics-spec.json'])('mean what they mean to Prometheus 3.5: %s', (file) => {
    const all = JSON.parse(readFileSync(join(directory, file), 'utf8')).cases;
    let seen = 0;
    for (const { id, kind, contentType, body, bodyBase64, expect: expected, alsoAccept = [], tags = [] } of all) {
      if (kind !== 'parse' || tags.includes('strict-only')) continue;
      seen++;
      const page = bodyBase64 === undefined ? Buffer.from(body) : Buffer.from(bodyBase64, 'base64');
      const reader = createReader(formatOfContentType(contentType));
      if (!expected.ok) {
        if (alsoAccept.length === 0) expect(() => reader.read(page), id).toThrow(CodecError);
        continue;
      }
      const found = reader.samples(page);
      const keyOf = (labels: object) => JSON.stringify(Object.entries(labels).sort());
      for (const { labels, normalizedLabels, value, timestampMs } of expected.series ?? []) {
        const sample = found.find((one) => keyOf(one.labels) === keyOf(normalizedLabels ?? labels));
        expect(sample, `${id} ${keyOf(labels)}`).toBeDefined();
        expect(sample?.value, id).toBe(Number(value.replace('Inf', 'Infinity')));
        expect(sample?.timestampMs, id).toBe(timestampMs);
      }
      const { metadata } = reader.read(page);
      for (const [name, entry] of Object.entries(expected.metadata ?? {}))
        expect(metadata.get(name), id).toMatchObject(entry ?? {});
    }
    expect(seen).toBeGreaterThan(50);
  });
});
