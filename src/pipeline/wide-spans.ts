/** Spans that hold more than anybody reads: a span is decoded, written and answered with in one turn, during which nobody else is served. */
import type { Resource } from '../model/resource.ts';
import type { Span } from '../model/span.ts';

/** Every format takes more than this for a tag, so that small bodies need not be looked at. */
const leastBytesPerPart = 4;

function countKeys(texts: Readonly<Record<string, string>>): number {
  let count = 0;
  for (const _ in texts) count++;
  return count;
}

function partsOf({ attributes, events, details }: Span): readonly (readonly [number, string])[] {
  const eventAttributes = details?.events.reduce((sum, event) => sum + event.attributes.length, 0) ?? 0;
  return [
    [countKeys(attributes), 'tags'],
    [events.length + eventAttributes, 'events with their attributes'],
    [details?.links.length ?? 0, 'links'],
  ];
}

/** Says whose limit a span is over, and what to do. */
export const tellWideSpan = (what: string, input: string): string =>
  `${what} (max_span_parts of [[${input}]]); send fewer`;

/** Which span of a body of this size has more tags, events or links than `maxParts`, or undefined. */
export function findWideSpan(spans: readonly Span[], bodyBytes: number, maxParts: number): string | undefined {
  if (bodyBytes < maxParts * leastBytesPerPart) return undefined;
  let resource: Resource | undefined;
  for (const [n, span] of spans.entries()) {
    const parts = [...partsOf(span)];
    // One emitter's spans have the same object.
    if (span.resource !== resource) {
      resource = span.resource;
      parts.push([countKeys(resource.attributes), 'attributes of its resource']);
    }
    const wide = parts.find(([count]) => count > maxParts);
    if (wide === undefined) continue;
    return `span ${n + 1} of the body has ${wide[0]} ${wide[1]}, more than the ${maxParts} that are taken`;
  }
  return undefined;
}
