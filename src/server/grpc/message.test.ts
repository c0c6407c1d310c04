import { describe, expect, it } from 'vitest';
import { createChoices } from '../../../test/contract/decoder-kit.ts';
import { framed } from '../../../test/fixtures/grpc-client.ts';
import { createBodyPool } from '../body-pool.ts';
import { createByteBudget } from '../byte-budget.ts';
import { createMessageReader } from './message.ts';

const limitBytes = 1024 * 1024;

function open(budgetBytes = 64 * limitBytes) {
  const budget = createByteBudget(budgetBytes);
  const pool = createBodyPool(0);
  return { budget, reader: createMessageReader({ limitBytes, lease: budget.lease(), pool }) };
}

describe('a message in pieces', () => {
  it('is the same as in one, whatever the pieces', () => {
    const seed = 4317;
    const random = createChoices(seed);
    for (let round = 0; round < 200; round++) {
      const message = Buffer.from(Array.from({ length: random(random(2) === 0 ? 10 : 50_000) }, () => random(256)));
      const bytes = framed(message, { compressed: random(2) === 0 });
      const { reader, budget } = open();
      for (let at = 0; at < bytes.length; ) {
        const size = random(random(3) === 0 ? 4 : 20_000);
        expect(reader.push(bytes.subarray(at, at + size))).toBeUndefined();
        at += size;
      }
      const read = reader.end();
      if (read.kind !== 'whole') throw new Error(`seed ${seed}, round ${round}: ${read.status.message}`);
      expect(read.body.equals(message), `seed ${seed}, round ${round}`).toBe(true);
      expect(read.isCompressed).toBe(bytes[0] === 1);
      expect(budget.usedBytes).toBe(message.length);
    }
  });

  it('takes memory by what came, not by what was claimed', () => {
    const { reader, budget } = open();
    reader.push(framed(Buffer.alloc(0), { lengthBytes: limitBytes }));
    expect(budget.usedBytes).toBe(0);
    reader.push(Buffer.alloc(1));
    expect(budget.usedBytes).toBe(1024);
    reader.push(Buffer.alloc(16_384));
    expect(budget.usedBytes).toBeLessThanOrEqual(8 * 16_385);
  });

  it('is refused as soon as there is no room', () => {
    const { reader } = open(10_000);
    reader.push(framed(Buffer.alloc(0), { lengthBytes: limitBytes }));
    expect(reader.push(Buffer.alloc(16_384))).toMatchObject({ problem: 'overloaded', status: { code: 'UNAVAILABLE' } });
  });
});
