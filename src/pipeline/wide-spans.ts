/** Spans that hold more than anybody reads: a span is decoded, written and answered with in one turn, during which nobody else is served. */
import type { Resource } from '../model/resource.ts';
import type { Span } from '../model/span.ts';

/** Tags, events or links of one span. Each costs microseconds on its way in and again on its way out; three million held up an agent for half a minute. */
export const maxPartsPerSpan = 100_000;
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

/** Why the spans of a body of this size cannot be taken, or undefined. */
export function findWideSpan(spans: readonly Span[], bodyBytes: number): string | undefined {
  if (bodyBytes < maxPartsPerSpan * leastBytesPerPart) return undefined;
  let resource: Resource | undefined;
  for (const [n, span] of spans.entries()) {
    const parts = [...partsOf(span)];
    // One emitter's spans have the same object.
    if (span.resource !== resource) {
      resource = span.resource;
      parts.push([countKeys(resource.attributes), 'attributes of its resource']);
    }
    const wide = parts.find(([count]) => count > maxPartsPerSpan);
    if (wide === undefined) continue;
    return `span ${n + 1} of the body has ${wide[0]} ${wide[1]}, more than the ${maxPartsPerSpan} that are taken; send fewer`;
  }
  return undefined;
}
