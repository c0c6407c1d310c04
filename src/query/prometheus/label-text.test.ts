import { describe, expect, it } from 'vitest';
import type { Label } from '../../model/sample.ts';
import { createLabelTexts } from './label-text.ts';

const sets: readonly (readonly Label[])[] = [
  [],
  [['__name__', 'up']],
  [
    ['__name__', 'http_requests_total'],
    ['instance', '10.0.0.1:9090'],
  ],
  [['path', '"C:\\dir"\n\u0000\u007f']],
  [['héllo', '\u00e4\u20ac\ud83d\ude00']],
];

const plainly = (labels: readonly Label[]): string => JSON.stringify(Object.fromEntries(labels));

describe('label sets as JSON', () => {
  it.each([[1024 * 1024], [100], [0]])(
    'are the same bytes whether they are written or copied, of %d bytes that are kept',
    (maxBytes) => {
      const texts = createLabelTexts(maxBytes);
      const all = Array.from({ length: 40 }, () => sets).flat();
      for (let round = 0; round < 4; round++) {
        const write = texts.writer();
        for (const labels of round === 2 ? all.map((set) => [...set]) : all) {
          const chunk = { buffer: Buffer.from('#'), size: 1 };
          write(chunk, labels);
          expect(chunk.buffer.toString('utf8', 0, chunk.size)).toBe(`#${plainly(labels)}`);
        }
      }
    },
  );
});
