import { describe, expect, it } from 'vitest';
import { parsePromql } from '../query/promql/parse/parse.ts';
import { explainRefusal } from './promql-error.ts';
import { screenOf } from './screen.ts';

const screen = screenOf({ out: () => undefined, error: () => undefined, environment: { LANG: 'C.UTF-8' } });

/** The last line of what a person is told of a query, which the agent's own parser refuses. */
function hintOf(query: string): string | undefined {
  try {
    parsePromql(query);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return explainRefusal({ errorType: 'bad_data', error: error.message }, { query, url: '', screen }).at(-1);
  }
  throw new Error(`${query} can be read`);
}

describe('a mistake in a query', () => {
  it.each([
    ['http.server.duration', `a metric's name with a dot is written in quotes and braces:  {"http.server.duration"}`],
    ['{http.server.duration}', `a metric's name with a dot is written in quotes and braces:  {"http.server.duration"}`],
    ['sum(rate(a.b{job="x"}[5m]))', `a metric's name with a dot is written in quotes and braces:  {"a.b", job="x"}`],
    ['up{k8s.pod="c"}', `a label's name with a dot is written in quotes:  {"k8s.pod"="VALUE"}`],
    ['sum by job (up)', 'labels are written in parentheses:  by (job)'],
    ['sum(up) without job, pod', 'labels are written in parentheses:  without (job, pod)'],
    ['up / on job up', 'labels are written in parentheses:  on (job)'],
    ['up && up', 'it is written as a word:  LEFT and RIGHT'],
    ['up\n  || up', 'it is written as a word:  LEFT or RIGHT'],
    ['!up', expect.stringContaining('PromQL has no "not"')],
    ['up =~ "x"', 'texts are compared with labels, in braces:  up{LABEL=~"x"}'],
    ['up !~ "x"', 'texts are compared with labels, in braces:  up{LABEL!~"x"}'],
    [`sum(up) > 0 and größe`, undefined],
    ["up = 'x'", "texts are compared with labels, in braces:  up{LABEL='x'}"],
    ['up != "x"', 'texts are compared with labels, in braces:  up{LABEL!="x"}'],
    ['up == "x"', 'texts are compared with labels, in braces:  up{LABEL="x"}'],
    ['up = 1', 'numbers are compared with =='],
    ['rate(up[5m]) by (job)', 'by belongs to an aggregation, such as sum:  sum by (job) (…)'],
    ['up without (a, b)', 'without belongs to an aggregation, such as sum:  sum without (a, b) (…)'],
    ['up[5m] > 1', expect.stringContaining('an operator takes no window')],
  ])('is known by the text around it: %s', (query, hint) => {
    if (hint !== undefined) expect(hintOf(query)).toEqual(hint);
    else expect(hintOf(query)).not.toMatch(/written|belongs|compared/);
  });

  it('is shown without what a terminal obeys, and without long texts', () => {
    expect(hintOf('up =~ "\u001b[2J"')).not.toContain('\u001b');
    expect(hintOf(`up =~ "${'x'.repeat(1000)}"`)).toBe(
      'texts are compared with labels, in braces:  METRIC{LABEL=~"TEXT"}',
    );
  });
});
