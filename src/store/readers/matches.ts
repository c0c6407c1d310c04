/** Label matchers as tests of values in memory, in linear time whatever the pattern. */
import { compilePattern } from '../../pattern/pattern.ts';
import { InvalidRegexError, type LabelMatcher } from './label-matcher.ts';

/** Whether a label's value ('' where it is missing) is taken. Throws an InvalidRegexError at a pattern that is none. */
export function matcherOf({ op, value }: LabelMatcher): (text: string) => boolean {
  if (op === '=') return (text) => text === value;
  if (op === '!=') return (text) => text !== value;
  const compiled = compilePattern(value, { isAnchored: true, dotTakesNewline: true });
  if (!compiled.ok) throw new InvalidRegexError(compiled.message);
  const { pattern } = compiled;
  return (text) => pattern.test(text) === (op === '=~');
}
