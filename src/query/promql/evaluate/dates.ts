/** Functions that take values for seconds since 1970 and tell their place in the calendar, in UTC. */
import type { Call } from '../ast.ts';
import type { VectorValue } from '../value.ts';
import { type Evaluation, evaluateVector, mapValues, newSeries, type Steps } from './evaluation.ts';

const dayMs = 86_400_000;

export const dateFunctions: ReadonlyMap<string, (date: Date) => number> = new Map<string, (date: Date) => number>([
  ['day_of_month', (date) => date.getUTCDate()],
  ['day_of_week', (date) => date.getUTCDay()],
  ['day_of_year', (date) => Math.floor((date.getTime() - new Date(date).setUTCMonth(0, 1)) / dayMs) + 1],
  ['days_in_month', (date) => new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate()],
  ['hour', (date) => date.getUTCHours()],
  ['minute', (date) => date.getUTCMinutes()],
  ['month', (date) => date.getUTCMonth() + 1],
  ['year', (date) => date.getUTCFullYear()],
]);

/** Without an argument, of the time of evaluation. */
export function* evaluateDate(call: Call, part: (date: Date) => number, evaluation: Evaluation): Steps<VectorValue> {
  const [argument] = call.arguments;
  if (argument === undefined) {
    const { grid } = evaluation;
    const into = newSeries([], evaluation);
    for (let i = 0; i < grid.count; i++) {
      into.values[i] = part(new Date(Math.floor((grid.startMs + i * grid.stepMs) / 1000) * 1000));
      into.isPresent[i] = 1;
    }
    return { kind: 'vector', series: [into] };
  }
  const vector = yield* evaluateVector(argument, evaluation);
  return yield* mapValues(vector, evaluation, (from, into) => {
    for (let i = 0; i < into.values.length; i++) {
      if (from.isPresent[i] !== 1) continue;
      into.values[i] = part(new Date(Math.trunc(from.values[i] ?? Number.NaN) * 1000));
      into.isPresent[i] = 1;
    }
  });
}
