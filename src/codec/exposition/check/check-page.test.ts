import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createChoices, makeMutants } from '../../../../test/contract/decoder-kit.ts';
import { openMetrics, prometheusText } from '../../../../test/contract/exposition-decoders.ts';
import { CodecError } from '../../codec-error.ts';
import { type ExpositionFormat, formatOfContentType } from '../exposition.ts';
import { createExpositionParser } from '../parser.ts';
import { checkPage } from './check-page.ts';

const directory = join(process.env['CONFORMANCE_DIR'] ?? '../shared/conformance', 'exposition');

const check = (body: string, format: ExpositionFormat = 'openmetrics') => checkPage(Buffer.from(body), format);

function errorsOf(body: string): readonly string[] {
  const { findings } = check(`${body}# EOF\n`);
  return findings.filter(({ severity }) => severity === 'error').map(({ line, text }) => `${line}: ${text}`);
}

const warningsOf = (body: string, format: ExpositionFormat = 'text') =>
  check(body, format)
    .findings.filter(({ severity }) => severity === 'warning')
    .map(({ text }) => text);

const whole =
  '# TYPE h_seconds histogram\n# UNIT h_seconds seconds\n# HELP h_seconds H.\nh_seconds_bucket{a="1",le="0.5"} 1 # {t="x"} 0.1\n' +
  'h_seconds_bucket{a="1",le="+Inf"} 2\nh_seconds_count{a="1"} 2\nh_seconds_sum{a="1"} 3\nh_seconds_created{a="1"} 1.5\n' +
  '# TYPE c counter\n# HELP c C.\nc_total 1 1 # {t="x"} 0.1\nc_total 2 2\n# EOF\n';

describe('the check of an OpenMetrics page', () => {
  it('finds nothing in a page that is right, and counts what it holds', () => {
    const { findings, errors, warnings, families, series, samples, exemplars, scrapeError } = check(whole);
    expect({ findings, errors, warnings, scrapeError }).toEqual({
      findings: [],
      errors: 0,
      warnings: 0,
      scrapeError: undefined,
    });
    expect({ families, series, samples, exemplars }).toEqual({ families: 2, series: 6, samples: 7, exemplars: 2 });
  });

  it.each([
    ['# TYPE a gauge\na 1\n# HELP a A.\n', '3: HELP of "a" stands behind its samples'],
    ['# TYPE a gauge\n# TYPE a gauge\n', '2: TYPE of "a" is there twice'],
    ['# TYPE a gauge\na 1\nb 1\na{x="1"} 1\n', '4: the family "a" is there twice, or goes on after another one'],
    ['# TYPE a counter\n# TYPE a_total gauge\n', '2: the name "a_total" belongs to the family "a" already'],
    [
      '# TYPE a_total counter\na_total 1\n',
      '2: a sample of the counter "a_total" is named like one of "a_total_total", "a_total_created"; TYPE and HELP name the family without _total',
    ],
    ['# TYPE a info\n# UNIT a \na_info 2\n', '3: "a_info" of type info must have the value 1'],
    ['# TYPE a_s stateset\n# UNIT a_s s\n', '2: "a_s" is of type stateset, which has no unit'],
    ['# TYPE a stateset\na{b="c"} 1\n', '2: "a" of type stateset lacks the label "a", which names the state'],
    ['# TYPE a counter\na_total NaN\n', '2: "a_total" of a counter is NaN'],
    ['# TYPE a summary\na{quantile="1.5"} 1\n', '2: the quantile "1.5" of "a" is not between 0 and 1'],
    ['# TYPE a histogram\na_bucket 1\n', '2: "a_bucket" lacks the label "le"'],
    ['# TYPE a histogram\na_bucket{le="+Inf"} 1.5\n', '2: "a_bucket" of a histogram counts, and is no whole number'],
    [
      '# TYPE a histogram\na_bucket{le="1"} 2\na_bucket{le="+Inf"} 1\n',
      '3: a bucket of "a" holds less than the one before',
    ],
    ['# TYPE a histogram\na_bucket{le="1"} 2\na_count 2\na_sum 1\n', '2: a histogram "a" lacks the bucket le="+Inf"'],
    [
      '# TYPE a histogram\na_bucket{le="+Inf"} 2\na_count 3\na_sum 1\n',
      '2: the bucket le="+Inf" of "a" differs from its _count',
    ],
    [
      '# TYPE a gauge\na{x="1"} 1\na{x="2"} 1\na{x="1"} 1\n',
      '4: the samples of one metric of "a" do not stand together',
    ],
    ['# TYPE a gauge\na 1 2\na 1 1\n', '3: the timestamps of a series of "a" do not grow'],
    ['# TYPE a gauge\na 1\na 2\n', '3: a series of "a" is there twice without a timestamp each'],
    [
      '# TYPE a gauge\na 1 # {t="x"} 1\n',
      '2: "a" has an exemplar, which only counters\' _total and histograms\' _bucket have',
    ],
    [
      `# TYPE a counter\na_total 1 # {t="${'x'.repeat(128)}"} 1\n`,
      "2: the exemplar's labels have 129 characters; 128 are allowed",
    ],
  ])('refuses %j and says where and why', (body, error) => {
    expect(errorsOf(body)).toContain(error);
    expect(() =>
      createExpositionParser({ remember: () => 1 }).parse(Buffer.from(`${body}# EOF\n`), 'openmetrics'),
    ).not.toThrow();
  });

  it('says that a scrape fails where it does, with the line', () => {
    const { scrapeError, findings, errors } = check('# TYPE a gauge\n# HELP a A.\na 1\na  1\n# EOF\n');
    expect(scrapeError).toBe('line 4: expected value after metric, got " ", in "a  1"');
    expect(errors).toBe(1);
    expect(findings[0]?.line).toBe(4);
  });

  it('tells thousands of faults by their number', () => {
    const { findings, errors } = check(`# TYPE a counter\n${'a_total{x="1"} -1 1\n'.repeat(5000)}# EOF\n`);
    expect(errors).toBeGreaterThan(5000);
    expect(findings).toHaveLength(1000);
  });
});

describe('the advice on names', () => {
  const head = (name: string, type: string) => `# HELP ${name} H.\n# TYPE ${name} ${type}\n`;

  it.each([
    [`${head('a', 'counter')}a 1\n`, '"a": the name of a counter ends in _total'],
    [
      `${head('a_total', 'gauge')}a_total 1\n`,
      '"a_total": only the name of a counter ends in _total, and this is a gauge',
    ],
    [
      `${head('a_milliseconds', 'gauge')}a_milliseconds 1\n`,
      '"a_milliseconds": the base unit seconds is usual instead of milliseconds',
    ],
    [`${head('wait_ms', 'gauge')}wait_ms 1\n`, '"wait_ms": the unit "ms" is written out as a rule'],
    [`${head('a:b', 'gauge')}a:b 1\n`, '"a:b": a colon in a name is meant for recording rules'],
    [`${head('a', 'gauge')}a{podName="x"} 1\n`, '"a": the label "podName" is in camelCase; snake_case is usual'],
    [`${head('a', 'gauge')}a{le="1"} 1\n`, '"a": only histograms have the label "le"'],
    [
      `${head('a_count', 'gauge')}a_count 1\n`,
      '"a_count": only samples of histograms and summaries end in _count, and this is a gauge',
    ],
    [`${head('a', 'gauge')}a 1\n${head('b', 'gauge')}b 1\na{x="1"} 2\n`, '"a": its samples do not stand together'],
    ['a 1\n', '"a": no HELP line says what it is'],
    [`${head('a', 'gauge')}`, '"a": it has no samples'],
  ])('of %j is %s', (body, warning) => {
    expect(warningsOf(body)).toEqual(expect.arrayContaining([warning]));
    expect(check(body, 'text').errors).toBe(0);
  });

  it('is nothing where names are as Prometheus has them', () => {
    expect(
      warningsOf(`${head('a_seconds', 'summary')}a_seconds{quantile="0.5"} 1\na_seconds_sum 1\na_seconds_count 1\n`),
    ).toEqual([]);
    expect(warningsOf(`${head('a_bytes_total', 'counter')}a_bytes_total 1\n`)).toEqual([]);
  });
});

describe('the check of any page', () => {
  it.each([prometheusText, openMetrics])('throws nothing, and refuses all that a scrape refuses: $name', (decoder) => {
    const seed = 11;
    const format = decoder === openMetrics ? 'openmetrics' : 'text';
    for (const mutant of makeMutants(decoder, { mutants: 3000, seed })) {
      const { errors, scrapeError } = checkPage(mutant, format);
      const parse = () => createExpositionParser({ remember: () => 1 }).parse(mutant, format);
      if (scrapeError === undefined) expect(parse, `seed ${seed}`).not.toThrow();
      else {
        expect(parse, `seed ${seed}`).toThrow(CodecError);
        expect(errors).toBeGreaterThan(0);
      }
    }
  });

  it('takes time in proportion to the page, whatever it repeats', () => {
    const random = createChoices(2);
    const lines = [
      'a{x="1"} 1 1\n',
      'a 1 # {t="x"} 1\n',
      '# HELP a x\n',
      '# TYPE a histogram\n',
      'a_bucket{le="1"} 1\n',
      '{A}0\n',
    ];
    const labels = Array.from({ length: 50_000 }, (_, i) => `l${i}="${random(9)}"`).reverse();
    for (const body of [
      ...lines.map((line) => line.repeat(20_000)),
      `m{${labels.join(',')}} 1\n`,
      `m ${'1'.repeat(1e6)}\n`,
      `m{a="${'\\'.repeat(1e6)}"} 1\n`,
    ])
      for (const format of ['text', 'openmetrics'] as const)
        expect(check(body, format).samples).toBeGreaterThanOrEqual(0);
  });
});

describe.skipIf(!existsSync(directory))('the conformance cases', () => {
  it.each(['cases.json', 'cases.openmetrics-spec.json'])(
    'are taken and refused as they say, strict ones included: %s',
    (file) => {
      for (const { id, kind, contentType, body, bodyBase64, expect: expected, alsoAccept = [] } of JSON.parse(
        readFileSync(join(directory, file), 'utf8'),
      ).cases) {
        if (kind !== 'parse') continue;
        const page = bodyBase64 === undefined ? Buffer.from(body) : Buffer.from(bodyBase64, 'base64');
        const isTaken = checkPage(page, formatOfContentType(contentType)).errors === 0;
        expect(
          [expected, ...alsoAccept].map(({ ok }) => ok),
          id,
        ).toContain(isTaken);
      }
    },
  );
});
