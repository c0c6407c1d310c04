import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { encodeWriteRequest } from '../../test/fixtures/write-request.ts';
import { createWriteTemplate } from './write-template.ts';

const require = createRequire(import.meta.url);
const snappy: { uncompress(bytes: Uint8Array): Uint8Array } = require('snappyjs');

describe('a body of remote write that is sent again and again', () => {
  const series = Array.from({ length: 3000 }, (_, i) => [
    ['__name__', `hits_${i % 7}_total`] as const,
    ['pod', `web-${i}`] as const,
    ['zone', 'eu-west-1'] as const,
  ]);
  const template = createWriteTemplate(series);

  it.each([
    [1_790_000_000_123, 0.1],
    [1_890_000_999_999, -7],
  ])('is, uncompressed, what an encoder writes for the samples of %d', (timeMs, factor) => {
    const sent = template.at(timeMs, (i) => i * factor);
    const samples = series.map((labels, i) => ({ labels, samples: [[timeMs, i * factor] as const] }));
    expect(Buffer.from(snappy.uncompress(sent)).equals(encodeWriteRequest(samples))).toBe(true);
    expect(sent.length).toBeLessThan(encodeWriteRequest(samples).length / 2);
  });
});
