/** Hands out spans whose content follows from their number, remembers which were acknowledged, and judges what a store holds afterwards. */

export interface Verdict {
  readonly acknowledged: number;
  readonly stored: number;
  /** Acknowledged and not there. */
  readonly lost: number;
  /** There with other content than was sent. */
  readonly altered: number;
  readonly storedTwice: number;
  /** There although nobody ever sent it. */
  readonly invented: number;
}

export interface StoredSpan {
  readonly id: string;
  readonly name: string;
  readonly durationUs: number;
  readonly note: string;
}

const id16 = (number: number): string => (number + 1).toString(16).padStart(16, '0');

const nameOf = (number: number): string => `operation-${number % 17}`;
const durationOf = (number: number): number => 1 + ((number * 7919) % 1_000_003);
const noteOf = (number: number): string => `note ${number} ${'x'.repeat(number % 50)}`;

/** Makes an oracle; `startUs` is the time of its first span. */
export function createSpanOracle(startUs: number) {
  let next = 0;
  const acknowledged = new Set<number>();
  return {
    /** The next `count` spans as a Zipkin v2 JSON body, and their numbers. */
    issue(count: number): { body: string; numbers: readonly number[] } {
      const numbers = Array.from({ length: count }, () => next++);
      const spans = numbers.map((number) => ({
        traceId: id16(Math.floor(number / 4)).padStart(32, 'a'),
        ...(number % 4 === 0 ? {} : { parentId: id16(number - (number % 4)) }),
        id: id16(number),
        kind: number % 2 === 0 ? 'SERVER' : 'CLIENT',
        name: nameOf(number),
        timestamp: startUs + number * 10,
        duration: durationOf(number),
        localEndpoint: { serviceName: `service-${number % 5}` },
        tags: { note: noteOf(number) },
      }));
      return { body: JSON.stringify(spans), numbers };
    },
    acknowledge(numbers: readonly number[]): void {
      for (const number of numbers) acknowledged.add(number);
    },
    get issued(): number {
      return next;
    },
    get acknowledged(): number {
      return acknowledged.size;
    },
    judge(stored: readonly StoredSpan[]): Verdict {
      const seen = new Map<number, number>();
      let altered = 0;
      let invented = 0;
      for (const span of stored) {
        const number = Number.parseInt(span.id, 16) - 1;
        if (!(number >= 0 && number < next)) {
          invented++;
          continue;
        }
        seen.set(number, (seen.get(number) ?? 0) + 1);
        if (span.name !== nameOf(number) || span.durationUs !== durationOf(number) || span.note !== noteOf(number))
          altered++;
      }
      return {
        acknowledged: acknowledged.size,
        stored: stored.length,
        lost: [...acknowledged].filter((number) => !seen.has(number)).length,
        altered,
        storedTwice: [...seen.values()].filter((times) => times > 1).length,
        invented,
      };
    },
  };
}
