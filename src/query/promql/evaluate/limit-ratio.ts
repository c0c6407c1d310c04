/** `limit_ratio`: about a share of the elements, the same ones each time (promql/engine.go, `HashRatioSampler`). */
import { invalidRatio } from '../annotations.ts';
import type { Aggregation } from '../ast.ts';
import type { GridSeries, VectorValue } from '../value.ts';
import { type Evaluation, evaluateScalar, evaluateVector, executionError, type Steps } from './evaluation.ts';
import { hashLabels } from './label-hash.ts';

/** Where a series lies between 0 and 1. */
const placeOf = ({ labels }: GridSeries): number => Number(hashLabels(labels)) / 2 ** 64;

/** A negative ratio takes what the positive one that fills it up to 1 leaves. */
const isTaken = (place: number, ratio: number): boolean => (ratio >= 0 ? place < ratio : place >= 1 + ratio);

export function* evaluateLimitRatio(aggregation: Aggregation, evaluation: Evaluation): Steps<VectorValue> {
  const { parameter = aggregation, inner } = aggregation;
  const given = yield* evaluateScalar(parameter, evaluation);
  if (given.some(Number.isNaN)) throw executionError('Ratio value is NaN');
  const ratios = given.map((ratio) => Math.max(-1, Math.min(1, ratio)));
  // As in Prometheus, the first of those that are too large, and the first of those that are too small.
  for (const sign of [1, -1]) {
    const wrong = given.find((ratio) => sign * ratio > 1);
    if (wrong !== undefined) evaluation.annotations.warn(parameter, invalidRatio(wrong, sign));
  }
  const { series } = yield* evaluateVector(inner, evaluation);
  const found: GridSeries[] = [];
  for (const one of series) {
    const place = placeOf(one);
    const isPresent = one.isPresent.map((present, i) => (isTaken(place, ratios[i] ?? 0) ? present : 0));
    if (isPresent.includes(1)) found.push({ ...one, isPresent });
    if (evaluation.meter.spend(30_000 + 5 * isPresent.length)) yield;
  }
  return { kind: 'vector', series: found, isOrdered: true };
}
