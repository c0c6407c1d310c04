/** Spans and events at times that no double holds. Hardly any has such, so that the others do without the fields for it. */
import { type Long, nearestOf, restOf } from './long.ts';
import type { Span, SpanEvent } from './span.ts';

/** An event at any time of 64 bits. */
export function eventAt(time: Long, value: string): SpanEvent {
  if (typeof time === 'number') return { timestampUs: time, value };
  return { timestampUs: nearestOf(time), value, restUs: restOf(time) };
}

/** The span, which has the nearest doubles, with what they lack of its start and duration; a time that is not positive is none. */
export function withExactTimes(span: Span, startUs: Long, durationUs: Long): Span {
  if (typeof startUs === 'number' && typeof durationUs === 'number') return span;
  const startRestUs = startUs > 0 ? restOf(startUs) : undefined;
  const durationRestUs = durationUs > 0 ? restOf(durationUs) : undefined;
  return {
    ...span,
    ...(startRestUs === undefined ? {} : { startRestUs }),
    ...(durationRestUs === undefined ? {} : { durationRestUs }),
  };
}
