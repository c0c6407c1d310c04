/** What stands between an operator and its right side: `bool`, `on`, `group_left`, `fill`. */
import type { Fill, Matching } from '../ast.ts';
import { parseLabels } from './selector.ts';
import { accept, advance, isNext, numberOf, type Parser, unexpected } from './state.ts';

export interface Modifiers {
  readonly returnsBool: boolean;
  readonly matching: Matching;
}

/** A number with a sign before it or none, in parentheses. */
function parseFillValue(parser: Parser): number {
  if (!accept(parser, '(')) unexpected(parser, 'fill modifier', '"("');
  const isNegative = isNext(parser, '-');
  if (isNegative || isNext(parser, '+')) advance(parser);
  if (parser.token.kind !== 'number' && parser.token.kind !== 'duration') unexpected(parser);
  const value = numberOf(parser, parser.token);
  advance(parser);
  if (!accept(parser, ')')) unexpected(parser);
  return isNegative ? -value : value;
}

/** `fill(0)`, or `fill_left(0)` and `fill_right(0)` in any order. These words are metrics' names too: a parenthesis tells. */
function parseFill(parser: Parser): Fill {
  let fill: Fill = { left: undefined, right: undefined };
  for (;;) {
    const { kind, text, to } = parser.token;
    const side = kind === 'identifier' ? /^fill(?:_(left|right))?$/i.exec(text) : null;
    if (side === null || !/^\s*\(/.test(parser.query.slice(to, to + 100))) return fill;
    const named = side[1]?.toLowerCase() === 'left' ? 'left' : 'right';
    const isWhole = side[1] === undefined;
    const isGiven = fill[named] !== undefined || (isWhole && fill.left !== undefined);
    advance(parser);
    // Each side once: one more is a metric's name, and no name may be called.
    if (isGiven) unexpected(parser);
    const value = parseFillValue(parser);
    fill = isWhole ? { left: value, right: value } : { ...fill, [named]: value };
  }
}

type Grouped = Pick<Matching, 'cardinality' | 'include'>;

function parseGroupSide(parser: Parser): Grouped {
  const isLeft = isNext(parser, 'group_left');
  if (!isLeft && !isNext(parser, 'group_right')) return { cardinality: 'one-to-one', include: [] };
  advance(parser);
  const include = isNext(parser, '(') ? parseLabels(parser) : [];
  return { cardinality: isLeft ? 'many-to-one' : 'one-to-many', include };
}

export function parseModifiers(parser: Parser): Modifiers {
  const returnsBool = accept(parser, 'bool');
  const isOn = isNext(parser, 'on');
  const isMatched = isOn || isNext(parser, 'ignoring');
  if (isMatched) advance(parser);
  const labels = isMatched ? parseLabels(parser) : [];
  const grouped: Grouped = isMatched ? parseGroupSide(parser) : { cardinality: 'one-to-one', include: [] };
  return { returnsBool, matching: { ...grouped, isOn, labels, fill: parseFill(parser) } };
}
