import { describe, expect, it } from 'vitest';
import { createRandom } from '../../../test/fixtures/random.ts';
import { checkHead, matchesHead, matchesTail, noChecksum, type ReadAt } from './position.ts';
import { createReadChecksums } from './read-checksums.ts';

describe('checksums of what was read', () => {
  it('match the file however it came in chunks, and wherever reading began', () => {
    const seed = Math.floor(Math.random() * 2 ** 32);
    const random = createRandom(seed);
    const pick = (below: number) => Math.floor(random() * below);
    for (let round = 0; round < 500; round++) {
      const bytes = Buffer.from(
        Array.from({ length: 1 + pick(3000) }, () => (random() < 0.05 ? 0x0a : 0x61 + pick(26))),
      );
      const readAt: ReadAt = (buffer, offset) => bytes.copy(buffer, 0, Math.min(offset, bytes.length));
      const start = random() < 0.5 ? 0 : pick(bytes.length);
      const checksums = createReadChecksums(start, start === 0 ? noChecksum : checkHead(readAt, start));
      let lineOffset = start;
      for (let at = start; at < bytes.length; ) {
        const chunk = bytes.subarray(at, at + 1 + pick(700));
        const whole = chunk.lastIndexOf(0x0a) + 1;
        checksums.push(chunk, whole);
        if (whole > 0) lineOffset = at + whole;
        at += chunk.length;
        for (const offset of [lineOffset, at]) {
          if (offset === start) continue;
          const { head, tail } = checksums.at(offset);
          const position = { path: '', offset, pending: {}, head, tail };
          const where = `seed ${seed}, round ${round}, offset ${offset}`;
          expect(head.length, where).toBe(Math.min(offset, 1024));
          expect(matchesHead(readAt, position), where).toBe(true);
          expect(tail.length, where).toBe(Math.min(offset - start, 64));
          expect(matchesTail(readAt, position), where).toBe(true);
        }
      }
    }
  });
});
