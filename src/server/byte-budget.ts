/** Counts the bytes of request bodies that are held in memory at once, over all requests. */

/** One request's part of the budget. */
export interface ByteLease {
  /** Takes `count` more bytes; false, and nothing taken, when they do not fit. */
  grow(count: number): boolean;
  /** Whether `count` more would fit now. Takes nothing: a Content-Length is a claim, and claims must not keep others out. */
  hasRoomFor(count: number): boolean;
  /** Gives everything back; may be called twice. */
  release(): void;
}

export interface ByteBudget {
  readonly limitBytes: number;
  readonly usedBytes: number;
  lease(): ByteLease;
}

/** Makes a budget of `limitBytes` that is shared by all leases. */
export function createByteBudget(limitBytes: number): ByteBudget {
  let used = 0;
  return {
    limitBytes,
    get usedBytes() {
      return used;
    },
    lease() {
      let held = 0;
      return {
        grow(count) {
          if (used + count > limitBytes) return false;
          used += count;
          held += count;
          return true;
        },
        hasRoomFor: (count) => used + count <= limitBytes,
        release() {
          used -= held;
          held = 0;
        },
      };
    },
  };
}
