/** Counting by peer address, bounded in memory: wrong tokens, and requests a second. */

const maxPeers = 10_000;

export interface Lockout {
  /** How long this peer has to wait; 0 when it need not. */
  remainingMs(peer: string): number;
  fail(peer: string): void;
}

interface Failures {
  count: number;
  untilMs: number;
}

/** Ten failures within a minute lock a peer out until that minute is over. */
export function createLockout(nowMs: () => number, { failures = 10, windowMs = 60_000 } = {}): Lockout {
  const peers = new Map<string, Failures>();
  return {
    remainingMs(peer) {
      const seen = peers.get(peer);
      if (seen === undefined || seen.count < failures) return 0;
      return Math.max(0, seen.untilMs - nowMs());
    },
    fail(peer) {
      const seen = peers.get(peer);
      if (seen !== undefined && seen.untilMs > nowMs()) {
        seen.count += 1;
        return;
      }
      remember(peers, peer, { count: 1, untilMs: nowMs() + windowMs });
    },
  };
}

export interface RateLimit {
  /** Takes one request's worth; false when the peer has used up what it had. */
  take(peer: string): boolean;
}

interface Bucket {
  tokens: number;
  filledMs: number;
}

/** A token bucket a peer, `perSecond` in the long run and five times that at once. */
export function createRateLimit(perSecond: number, nowMs: () => number): RateLimit {
  const burst = perSecond * 5;
  const buckets = new Map<string, Bucket>();
  return {
    take(peer) {
      const now = nowMs();
      let bucket = buckets.get(peer);
      if (bucket === undefined) {
        bucket = { tokens: burst, filledMs: now };
        remember(buckets, peer, bucket);
      }
      bucket.tokens = Math.min(burst, bucket.tokens + ((now - bucket.filledMs) * perSecond) / 1000);
      bucket.filledMs = now;
      if (bucket.tokens < 1) return false;
      bucket.tokens -= 1;
      return true;
    },
  };
}

/** Forgets the peer that came first when there are too many: what is forgotten is let in, never kept out. */
function remember<Value>(peers: Map<string, Value>, peer: string, value: Value): void {
  peers.delete(peer);
  const [oldest] = peers.keys();
  if (peers.size >= maxPeers && oldest !== undefined) peers.delete(oldest);
  peers.set(peer, value);
}
