/** `match[]` and its kin: series selectors outside a query (Prometheus: parser.ParseMetricSelector, web/api/v1). */
import { compilePattern, maxPatternWeight } from '../../pattern/pattern.ts';
import { patternWeight } from '../../pattern/weight.ts';
import { type LabelMatcher, matchesEmpty } from '../../store/readers/label-matcher.ts';
import { PromqlError } from '../promql/error.ts';
import { maxQueryLength, parseSelectorText } from '../promql/parse/parse.ts';
import type { QueryRequest } from '../query-route.ts';
import { BadParameter } from './parameters.ts';

/** Every value of a parameter, those of the body first. */
export const valuesOf = ({ form, query }: Pick<QueryRequest, 'form' | 'query'>, name: string): readonly string[] => [
  ...(form?.getAll(name) ?? []),
  ...query.getAll(name),
];

const refused = (name: string, message: string): BadParameter =>
  new BadParameter(name === '' ? message : `invalid parameter "${name}": ${message}`);

/** A series selector given as a parameter. Throws a BadParameter that names it, unless the name is ''. */
export function selectorParameter(name: string, text: string): readonly LabelMatcher[] {
  try {
    return parseSelectorText(text);
  } catch (error) {
    if (!(error instanceof PromqlError)) throw error;
    throw refused(name, error.message);
  }
}

/** Of all selectors of a request, whose names and braces count as well: their patterns are compiled before anybody else has a turn. */
const maxMatchWeight = 2 * maxPatternWeight;

/** The selectors of `match[]`, each with a matcher that does not take everything; errors call them `name`. */
export function matchParameters(
  request: Pick<QueryRequest, 'form' | 'query'>,
  name: string,
): readonly (readonly LabelMatcher[])[] {
  const texts = valuesOf(request, 'match[]');
  const length = texts.reduce((sum, text) => sum + text.length, 0);
  if (length > maxQueryLength) throw refused(name, `match[] is longer than the limit of ${maxQueryLength} characters`);
  if (texts.reduce((sum, text) => sum + patternWeight(text), 0) > maxMatchWeight) {
    throw refused(
      name,
      `the regular expressions of match[] are too large: the limit is ${maxMatchWeight} characters, repetitions counted`,
    );
  }
  const found = texts.map((text) => selectorParameter(name, text));
  if (found.some((matchers) => matchers.every(matchesEmpty)))
    throw refused(name, 'match[] must contain at least one non-empty matcher');
  return found;
}

/** A matcher as a test of label sets. Throws a BadParameter at a regular expression that is none. */
export function matcherTest({ name, op, value }: LabelMatcher): (labels: Readonly<Record<string, string>>) => boolean {
  const of = (labels: Readonly<Record<string, string>>) => labels[name] ?? '';
  if (op === '=') return (labels) => of(labels) === value;
  if (op === '!=') return (labels) => of(labels) !== value;
  const compiled = compilePattern(value, { isAnchored: true, dotTakesNewline: true });
  if (!compiled.ok) throw new BadParameter(compiled.message);
  const { pattern } = compiled;
  return (labels) => pattern.test(of(labels)) === (op === '=~');
}
