/** The limits of PromQL in docs/reference/http-api.md, each gone beyond. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compilePattern } from '../../src/pattern/pattern.ts';
import { matchParameters } from '../../src/query/prometheus/selectors.ts';
import { instantQuery, type SampleSource } from '../../src/query/promql/engine.ts';
import { parsePromql } from '../../src/query/promql/parse/parse.ts';
import { checkConditionCount } from '../../src/store/readers/label-matcher.ts';
import { defaultSampleLimits } from '../../src/store/readers/samples.ts';
import { tooManySeries } from '../../src/store/readers/selected-series.ts';
import { root } from './blocks.ts';

const reference = readFileSync(join(root, 'docs/reference/http-api.md'), 'utf8');
const table = reference.slice(reference.indexOf('| a query | 131,072'));
const documented = [...table.slice(0, table.indexOf('\n\n')).matchAll(/^\|.*\| `([^`]+)` \| `(\w+)` \|$/gm)].map(
  ([, message = '', errorType = '']) => ({ message, errorType }),
);

const source: SampleSource = { select: async () => [] };
const ask = async (query: string): Promise<unknown> =>
  await instantQuery(parsePromql(query), 0, {
    source,
    signal: AbortSignal.timeout(10_000),
    lookbackMs: 300_000,
    maxPoints: 20_000_000,
  });
const matching = (text: string) =>
  matchParameters({ form: undefined, query: new URLSearchParams({ 'match[]': text }) }, '');
const pattern = (text: string) => {
  const compiled = compilePattern(text, { isAnchored: true, dotTakesNewline: true });
  if (!compiled.ok) throw new Error(compiled.message);
};
const repeated = (length: number): string => `(${'a'.repeat(length)}){1000}`;
const many = 'x'.repeat(65_537);
const labelled = `label_replace(vector(1), "a", "${'x'.repeat(60_000)}", "", "")`;
// Rows within rows: each bracket holds a chain of operators.
const chained = (levels: number): string => (levels === 0 ? '1' : `(${chained(levels - 1)})${' + 1'.repeat(150)}`);

const beyond: readonly (readonly [what: string, go: () => unknown])[] = [
  ['a long query', () => ask(`up${' '.repeat(131_072)}`)],
  ['a long match[]', () => matching(`up${' '.repeat(131_072)}`)],
  ['many parentheses', () => ask(`${'('.repeat(201)}1${')'.repeat(201)}`)],
  ['many operators', () => ask(`1${' + 1'.repeat(201)}`)],
  ['rows of operators within each other', () => ask(chained(4))],
  ['a long pattern', () => pattern(many)],
  ['a pattern with repetitions', () => pattern(repeated(201))],
  ['large patterns in a query', () => ask(`up{a=~"${repeated(150)}", b=~"${repeated(150)}"}`)],
  ['large patterns in match[]', () => matching(`up{a=~"${repeated(250)}", b=~"${repeated(250)}"}`)],
  ['many matchers', () => checkConditionCount(251)],
  ['many series', () => Promise.reject(tooManySeries(defaultSampleLimits.maxSeries))],
  ['a long subquery', () => ask('sum_over_time(vector(1)[20000000s:1s])')],
  ['a long label', () => ask(`label_replace(vector(1), "a", "${many}", "", "")`)],
  ['a slow label_replace', () => ask(`label_replace(${labelled}, "b", "$1", "a", "(x{1000})")`)],
];

describe('the limits that Prometheus does not have', () => {
  it('are all reached by an example here', () => {
    expect(documented.length).toBe(beyond.length);
    expect(table).toContain(`| ${defaultSampleLimits.maxSamples.toLocaleString('en-US')} | \`query processing`);
  });

  it.each(beyond)('are told in the documented words: %s', async (what, go) => {
    const row = beyond.findIndex(([name]) => name === what);
    const said = await Promise.resolve()
      .then(go)
      .then(() => 'nothing', String);
    const words = documented[row]?.message.split(/\bN\b/) ?? [];
    let at = 0;
    for (const part of words) {
      expect(said.slice(at), said).toContain(part);
      at = said.indexOf(part, at) + part.length;
    }
  });
});
