/** `and`, `or` and `unless`: elements are kept or not, never changed. */
import type { Label } from '../../../model/sample.ts';
import type { Binary } from '../ast.ts';
import type { GridSeries, VectorValue } from '../value.ts';
import { type Evaluation, mergeEqual, type Steps } from './evaluation.ts';
import { createMatcher, groupByMatching, presenceOf } from './matching.ts';

/** The points of `series` at which `mask` is `wanted`; undefined where none are left. */
function masked(series: GridSeries, mask: Uint8Array | undefined, wanted: 0 | 1): GridSeries | undefined {
  if (mask === undefined) return wanted === 0 ? series : undefined;
  let any = false;
  const isPresent = series.isPresent.map((present, i) => {
    if (present !== 1 || mask[i] !== wanted) return 0;
    any = true;
    return 1;
  });
  return any ? { ...series, isPresent } : undefined;
}

/** The elements of `of` at the points where the group that they belong to has an element of `among`, or (`wanted` 0) has none. */
function* keep(
  { of, among, wanted }: { readonly of: VectorValue; readonly among: VectorValue; readonly wanted: 0 | 1 },
  { matching }: Binary,
  evaluation: Evaluation,
): Steps<GridSeries[]> {
  const { grid, meter } = evaluation;
  const matcher = createMatcher(matching);
  const masks = new Map<readonly Label[], Uint8Array>();
  for (const [key, members] of yield* groupByMatching(among.series, matcher, meter)) {
    masks.set(key, presenceOf(members, grid.count));
    if (meter.spend(members.length * grid.count)) yield;
  }
  const found: GridSeries[] = [];
  for (const member of of.series) {
    const kept = masked(member, masks.get(matcher(member.labels)), wanted);
    if (kept !== undefined) found.push(kept);
    if (meter.spend(500 + 3 * grid.count)) yield;
  }
  return found;
}

export function* combineSets(
  binary: Binary,
  { left, right }: { readonly left: VectorValue; readonly right: VectorValue },
  evaluation: Evaluation,
): Steps<VectorValue> {
  const isOrdered = left.isOrdered ?? false;
  switch (binary.op) {
    case 'and':
      return {
        kind: 'vector',
        series: yield* keep({ of: left, among: right, wanted: 1 }, binary, evaluation),
        isOrdered,
      };
    case 'unless':
      return {
        kind: 'vector',
        series: yield* keep({ of: left, among: right, wanted: 0 }, binary, evaluation),
        isOrdered,
      };
    default: {
      const added = yield* keep({ of: right, among: left, wanted: 0 }, binary, evaluation);
      const series = yield* mergeEqual([...left.series, ...added], evaluation.meter);
      return { kind: 'vector', series, isOrdered };
    }
  }
}
