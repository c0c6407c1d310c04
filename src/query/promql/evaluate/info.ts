/** `info`: adds to each series the labels of the info series that share its identifying labels (promql/info.go). */
import type { Label } from '../../../model/sample.ts';
import { matchesEmpty } from '../../../store/readers/label-matcher.ts';
import { matcherOf } from '../../../store/readers/matches.ts';
import type { Call } from '../ast.ts';
import { identifyingLabels, infoMatchers, infoSelector } from '../info-selector.ts';
import { type GridSeries, labelKey, labelOf, showLabels, type VectorValue } from '../value.ts';
import { type Evaluation, evaluateVector, executionError, mergeEqual, newSeries, type Steps } from './evaluation.ts';
import { withLabel } from './labels.ts';
import { evaluateSelector } from './selector.ts';

const identityOf = (labels: readonly Label[]): string =>
  labelKey(identifyingLabels.map((name) => [name, labelOf(labels, name)] as const));

/** Info series by what they identify; their values are when their samples were taken. */
type InfoIndex = ReadonlyMap<string, readonly GridSeries[]>;

function* indexInfo(call: Call, evaluation: Evaluation): Steps<InfoIndex> {
  const index = new Map<string, GridSeries[]>();
  for (const series of yield* evaluateSelector(infoSelector(call), evaluation, 'timestamp')) {
    const key = identityOf(series.labels);
    const known = index.get(key);
    if (known === undefined) index.set(key, [series]);
    else known.push(series);
    if (evaluation.meter.spend(1000)) yield;
  }
  return index;
}

/** The newest info series of each metric's name at a point. */
function chosenAt(candidates: readonly GridSeries[], point: number): readonly GridSeries[] {
  const byName = new Map<string, GridSeries>();
  for (const candidate of candidates) {
    if (candidate.isPresent[point] !== 1) continue;
    const name = labelOf(candidate.labels, '__name__');
    const known = byName.get(name);
    const takenS = candidate.values[point] ?? 0;
    const knownS = known?.values[point] ?? Number.NEGATIVE_INFINITY;
    if (known !== undefined && takenS === knownS) {
      const ms = Math.round(takenS * 1000);
      throw executionError(
        `found duplicate series for info metric: existing ${showLabels(known.labels)} @ ${ms}, new ${showLabels(candidate.labels)} @ ${ms}`,
      );
    }
    if (takenS > knownS) byName.set(name, candidate);
  }
  return [...byName.values()];
}

/** The labels with those of the info series added; the series' own stay as they are. */
function enriched(base: readonly Label[], infos: readonly GridSeries[], wanted: ReadonlySet<string>): readonly Label[] {
  const added = new Map<string, string>();
  for (const { labels } of infos) {
    for (const [name, value] of labels) {
      if (name === '__name__' || (wanted.size > 0 && !wanted.has(name))) continue;
      if (labelOf(base, name) !== '') continue;
      const other = added.get(name);
      if (other !== undefined && other !== value) throw executionError(`conflicting label: ${name}`);
      added.set(name, value);
    }
  }
  return [...added].reduce((labels, [name, value]) => withLabel(labels, name, value), base);
}

export function* evaluateInfo(call: Call, evaluation: Evaluation): Steps<VectorValue> {
  const vector = yield* evaluateVector(call.arguments[0] ?? call, evaluation);
  const { names, labels } = infoMatchers(call);
  const isInfoName = names.map(matcherOf);
  const wanted = new Set(labels.map(({ name }) => name));
  const mustMatch = !labels.every(matchesEmpty);
  const index = yield* indexInfo(call, evaluation);
  const found: GridSeries[] = [];
  for (const base of vector.series) {
    const name = labelOf(base.labels, '__name__');
    const candidates = index.get(identityOf(base.labels)) ?? [];
    if (isInfoName.every((matches) => matches(name))) {
      found.push(base);
      continue;
    }
    const outcomes = new Map<string, GridSeries>();
    for (let i = 0; i < base.values.length; i++) {
      if (evaluation.meter.spend(50 + 200 * candidates.length)) yield;
      if (base.isPresent[i] !== 1) continue;
      const chosen = chosenAt(candidates, i);
      if (chosen.length === 0 && mustMatch) continue;
      const outcome = enriched(base.labels, chosen, wanted);
      const key = labelKey(outcome);
      const into = outcomes.get(key) ?? newSeries(outcome, evaluation);
      outcomes.set(key, into);
      into.values[i] = base.values[i] ?? Number.NaN;
      into.isPresent[i] = 1;
    }
    found.push(...outcomes.values());
  }
  return { kind: 'vector', series: yield* mergeEqual(found, evaluation.meter) };
}
