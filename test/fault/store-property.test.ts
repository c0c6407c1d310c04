/**
 * The store against a naive one: whatever is done to it, it answers what arrays in memory answer. TRAWL_STORE_SECONDS says for how long
 * (`npm run test:long` for much longer), TRAWL_STORE_SEED which operations, TRAWL_STORE_OPERATIONS repeats what a failure printed.
 */
import { describe, expect, it } from 'vitest';
import { describeOperations, operationAt, parseOperations, runOperations, shrink } from './store-property.ts';

const seed = Number(process.env['TRAWL_STORE_SEED'] ?? 20_261_121);
const seconds = Number(process.env['TRAWL_STORE_SECONDS'] ?? 20);
const shrinkSeconds = Math.min(600, Math.max(20, seconds));
const repeated = process.env['TRAWL_STORE_OPERATIONS'];
/** A model that has grown makes each comparison longer: every so often it begins anew. */
const operationsOfRun = 400;

describe('the store under random operations', () => {
  it(
    `answers what a naive store answers (seed ${seed})`,
    async () => {
      if (repeated !== undefined) {
        const operations = parseOperations(repeated);
        expect((await runOperations((i) => operations[i])).difference).toBeUndefined();
        return;
      }
      const endsAt = performance.now() + seconds * 1000;
      const counts: Record<string, number> = {};
      for (let run = 0; run === 0 || performance.now() < endsAt; run++) {
        const { done, difference } = await runOperations((i) =>
          i < operationsOfRun && performance.now() < endsAt ? operationAt(seed + run, i) : undefined,
        );
        for (const { kind } of done) counts[kind] = (counts[kind] ?? 0) + 1;
        if (difference === undefined) continue;
        const shortest = await shrink(done, shrinkSeconds * 1000);
        expect.fail(
          `seed ${seed}, operation ${done.length} of run ${run}: ${difference}\n` +
            `repeat with TRAWL_STORE_OPERATIONS='${describeOperations(shortest)}' (of ${done.length} operations)`,
        );
      }
      process.stdout.write(`${JSON.stringify({ storeProperty: { seed, seconds, operations: counts } })}\n`);
      expect(counts['insert']).toBeGreaterThan(0);
    },
    (seconds + shrinkSeconds + 120) * 1000,
  );
});
