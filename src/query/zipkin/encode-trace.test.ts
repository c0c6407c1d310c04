import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { decodeSpans } from '../../codec/zipkin-v2-json/decode-spans.ts';
import { encodeSpans } from '../../codec/zipkin-v2-json/encode-spans.ts';
import { encodeTrace } from './encode-trace.ts';

const spansOf = (count: number, tags: number) => {
  const texts = Array.from({ length: tags }, (_, n) => `"k${n}":"v"`).join(',');
  const list = Array.from(
    { length: count },
    (_, n) => `{"traceId":"1","id":"${(n + 1).toString(16)}","tags":{${texts}}}`,
  );
  return decodeSpans(Buffer.from(`[${list.join(',')}]`));
};

const { signal } = new AbortController();

describe('a trace of any size', () => {
  it.each([
    [0, 0],
    [1, 2],
    [999, 1],
    [1000, 1],
    [1001, 0],
    [3500, 3],
    [5, 12_000],
  ])('is written as all at once would: %i spans of %i tags', async (count, tags) => {
    const spans = spansOf(count, tags);
    expect((await encodeTrace(spans, signal)).toString()).toBe(encodeSpans(spans));
  });

  it('lets others have their turn while it is written', async () => {
    let turns = 0;
    let isOver = false;
    const written = encodeTrace(spansOf(10_000, 0), signal).finally(() => {
      isOver = true;
    });
    for (; !isOver; turns++) await turn();
    await written;
    expect(turns).toBeGreaterThan(5);
  });

  it('is written no further when nobody waits for it any more', async () => {
    await expect(encodeTrace(spansOf(3000, 0), AbortSignal.abort())).rejects.toThrow(/abort/i);
  });
});
