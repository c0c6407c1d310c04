/** Which info series a call of `info` reads (promql/info.go). */
import type { LabelMatcher } from '../../store/readers/label-matcher.ts';
import { type Call, type Expression, type Moved, unwrap, type VectorSelector } from './ast.ts';

/** What a series and its info series have in common. */
export const identifyingLabels: readonly string[] = ['instance', 'job'];

const defaultName: LabelMatcher = { name: '__name__', op: '=', value: 'target_info' };

/** When the first selector within an expression is looked at, subqueries around it included: info series are looked at at the same time. */
function movedOf(expression: Expression): Moved | undefined {
  const inner = unwrap(expression);
  switch (inner.kind) {
    case 'vector_selector':
      return inner;
    case 'matrix_selector':
      return inner.selector;
    case 'subquery': {
      const moved = movedOf(inner.inner);
      // A time of its own is not moved by what is around it.
      if (moved === undefined || moved.at !== undefined) return moved;
      return { at: inner.at, offsetMs: inner.offsetMs + moved.offsetMs };
    }
    case 'call':
      return firstMoved(inner.arguments);
    case 'binary':
      return firstMoved([inner.left, inner.right]);
    case 'aggregation':
    case 'unary':
      return movedOf(inner.inner);
    default:
      return undefined;
  }
}

function firstMoved(expressions: readonly Expression[]): Moved | undefined {
  for (const expression of expressions) {
    const moved = movedOf(expression);
    if (moved !== undefined) return moved;
  }
  return undefined;
}

/** The matchers of the second argument: those of the info metric's name, and those of its other labels. */
export function infoMatchers(call: Call): {
  readonly names: readonly LabelMatcher[];
  readonly labels: readonly LabelMatcher[];
} {
  const [, second] = call.arguments;
  const given = second?.kind === 'vector_selector' ? second.matchers : [];
  const names = given.filter(({ name }) => name === '__name__');
  return {
    names: names.length === 0 ? [defaultName] : names,
    labels: given.filter(({ name }) => name !== '__name__'),
  };
}

const selectors = new WeakMap<Call, VectorSelector>();

/** The selector of the info series, the same object each time. */
export function infoSelector(call: Call): VectorSelector {
  const known = selectors.get(call);
  if (known !== undefined) return known;
  const { names, labels } = infoMatchers(call);
  const [first = call] = call.arguments;
  const { at, offsetMs } = movedOf(first) ?? { at: undefined, offsetMs: 0 };
  const { from, to } = call;
  const matchers = [...names, ...labels];
  const selector: VectorSelector = {
    kind: 'vector_selector',
    name: undefined,
    matchers,
    edges: undefined,
    at,
    offsetMs,
    from,
    to,
  };
  selectors.set(call, selector);
  return selector;
}
