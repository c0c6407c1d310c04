/**
 * Memory for whole bodies, used again and again. Memory outside V8's heap that is fresh for each request has V8 collect the whole heap
 * several times a second (`bench/spans.ts`).
 */

export interface PooledBody {
  /** `sizeBytes` of uncertain content. */
  readonly bytes: Buffer;
  /** To be called once, when nobody looks at the bytes any more. */
  giveBack(): void;
}

export interface BodyPool {
  take(sizeBytes: number): PooledBody;
}

const smallestBytes = 16 * 1024;
/** Larger bodies are rare and would keep too much. */
const largestBytes = 1024 * 1024;

/** Makes a pool that keeps at most `maxKeptBytes` for later. */
export function createBodyPool(maxKeptBytes: number): BodyPool {
  /** By size, which is a power of two. */
  const free = new Map<number, Buffer[]>();
  let keptBytes = 0;
  return {
    take(sizeBytes) {
      if (sizeBytes > largestBytes) return { bytes: Buffer.allocUnsafe(sizeBytes), giveBack() {} };
      const slotBytes = Math.max(smallestBytes, 2 ** Math.ceil(Math.log2(Math.max(sizeBytes, 1))));
      const slots = free.get(slotBytes) ?? [];
      free.set(slotBytes, slots);
      const slot = slots.pop();
      if (slot !== undefined) keptBytes -= slotBytes;
      const memory = slot ?? Buffer.allocUnsafeSlow(slotBytes);
      return {
        bytes: memory.subarray(0, sizeBytes),
        giveBack() {
          if (keptBytes + slotBytes > maxKeptBytes) return;
          keptBytes += slotBytes;
          slots.push(memory);
        },
      };
    },
  };
}
