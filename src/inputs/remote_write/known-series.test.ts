import { expect, it } from 'vitest';
import { createSeriesCache, type KnownSeries } from '../../codec/remote-write/series-cache.ts';
import { maxKnownBytes } from './receiver.ts';

it('knows a hundred thousand series of twelve labels that come in turn, which were all new again each time', () => {
  const cache = createSeriesCache({ maxBytes: maxKnownBytes });
  const labelBytes = 400;
  const bytes = Buffer.alloc(labelBytes);
  const range = { start: 0, end: labelBytes };
  let before: KnownSeries | undefined;
  let unknown = 0;
  for (let turn = 0; turn < 3; turn++) {
    for (let i = 0; i < 110_000; i++) {
      bytes.writeUInt32LE(i, 0);
      bytes.writeUInt32LE(Math.imul(i, 0x9e37_79b1) >>> 0, labelBytes - 4);
      const known = cache.find(bytes, range, before);
      if (known === undefined) unknown++;
      before = known ?? cache.add(bytes, range, { series: undefined, refusal: '' });
    }
  }
  expect(unknown).toBe(110_000);
});
