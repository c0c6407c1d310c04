/** Label matchers of PromQL and LogQL, and the SQL that says the same. */
import type { QueryParameter } from '../client.ts';
import { ResultLimitError } from './limits.ts';
import { checkRegex } from './regex.ts';

export const matchOps = ['=', '!=', '=~', '!~'] as const;
export type MatchOp = (typeof matchOps)[number];

export interface LabelMatcher {
  readonly name: string;
  readonly op: MatchOp;
  /** For `=~` and `!~` a regular expression that must match the whole value. */
  readonly value: string;
}

/** A matcher's regular expression is wrong; the message is Go's, as users of Prometheus and Loki know it. */
export class InvalidRegexError extends Error {
  override readonly name = 'InvalidRegexError';
}

/** A condition over named parameters. */
export interface Condition {
  readonly sql: string;
  readonly parameters: Readonly<Record<string, QueryParameter>>;
}

/** The pattern of `=~` for the engine's `match`, and whether it matches a label that is missing. */
function anchored(value: string): { readonly pattern: string; readonly matchesEmpty: boolean } {
  const checked = checkRegex(value);
  if (checked.kind === 'invalid') throw new InvalidRegexError(checked.message);
  return { pattern: `^(?s:${checked.pattern})$`, matchesEmpty: checked.matchesEmpty };
}

/** Whether the matcher takes a series that lacks the label, which is the same as one where it is ''. */
export function matchesEmpty(matcher: LabelMatcher): boolean {
  switch (matcher.op) {
    case '=':
      return matcher.value === '';
    case '!=':
      return matcher.value !== '';
    case '=~':
      return anchored(matcher.value).matchesEmpty;
    case '!~':
      return !anchored(matcher.value).matchesEmpty;
  }
}

function comparison(matcher: LabelMatcher, expression: string, parameter: string): Condition {
  const placeholder = `{${parameter}:String}`;
  switch (matcher.op) {
    case '=':
      return { sql: `${expression} = ${placeholder}`, parameters: { [parameter]: matcher.value } };
    case '!=':
      return { sql: `${expression} != ${placeholder}`, parameters: { [parameter]: matcher.value } };
    case '=~':
      return {
        sql: `match(${expression}, ${placeholder})`,
        parameters: { [parameter]: anchored(matcher.value).pattern },
      };
    case '!~':
      return {
        sql: `NOT match(${expression}, ${placeholder})`,
        parameters: { [parameter]: anchored(matcher.value).pattern },
      };
  }
}

/** Each matcher and each text is a condition that the engine must parse; a query of ten thousand of them is nobody's. */
const maxConditions = 250;

/** Refuses a selector with more matchers or texts than a query may have. */
export function checkConditionCount(count: number): void {
  if (count > maxConditions) {
    throw new ResultLimitError(
      'conditions_per_selector',
      `a selector has ${count} conditions, more than ${maxConditions}`,
    );
  }
}

/**
 * All matchers as one condition, whose parameters' names begin with `prefix`. `expressionOf` gives the SQL of a label's value, which must be '' where the label is missing and may use
 * the parameter it is handed for the label's name; undefined says that no row has the label.
 */
export function matcherCondition(
  matchers: readonly LabelMatcher[],
  expressionOf: (name: string, nameParameter: string) => string | undefined,
  prefix = '',
): Condition {
  checkConditionCount(matchers.length);
  const sql: string[] = [];
  const parameters: Record<string, QueryParameter> = {};
  matchers.forEach((matcher, i) => {
    const nameParameter = `${prefix}label${i}`;
    const expression = expressionOf(matcher.name, nameParameter);
    if (expression === undefined) {
      sql.push(matchesEmpty(matcher) ? '1' : '0');
      return;
    }
    if (expression.includes(`{${nameParameter}:`)) parameters[nameParameter] = matcher.name;
    const condition = comparison(matcher, expression, `${prefix}value${i}`);
    sql.push(condition.sql);
    Object.assign(parameters, condition.parameters);
  });
  return { sql: sql.length === 0 ? '1' : sql.join(' AND '), parameters };
}
