/** How many searches hold much of this process's memory and of the store at once: the store bounds what it does itself, not what its answers take here. */
import { createPlaces, type Places } from './places.ts';

export interface SearchGate {
  /** Runs a search when it is its turn. Rejects at once, as a busy store does, where too many wait already. */
  pass<T>(signal: AbortSignal, run: () => Promise<T>): Promise<T>;
}

/** A gate that tells small queries from large ones. */
export interface QueryGate extends SearchGate {
  /** Runs a query that may be small: it begins at once, and takes a place among the large ones when it is found to be large, or is known to be. */
  begin<T>(options: BeginOptions, run: (lane: Lane) => Promise<T>): Promise<T>;
}

export interface BeginOptions {
  readonly signal: AbortSignal;
  /** What such a query was before. */
  readonly known: KnownSize;
}

export type KnownSize = 'small' | 'large' | undefined;

/** Asks the store for what a query reads. One that may be large lets others go first there. */
export type Ask<T> = (signal: AbortSignal, mayBeLarge: boolean) => Promise<T>;

/** Where one query is: beside the large ones, or among them. */
export interface Lane {
  isLarge(): boolean;
  /** How long it waited for its turn so far, here and there. */
  waitedMs(): number;
  /** Resolves when the query has a place among the large ones. */
  enter(): Promise<void>;
  /** Asks the store when it is the query's turn there. What takes longer than a small query's is ended, and asked again from a place among the large ones. */
  read<T>(signal: AbortSignal, ask: Ask<T>): Promise<T>;
}

export interface GateLimits {
  readonly atOnce: number;
  readonly waiting: number;
  /** How long a query may wait for a place; 10 s unless told. */
  readonly waitMs?: number;
}

/** How many queries of which nothing is known ask the store at once, beside those that are large. */
const trials = 2;
/** How many small ones do; they are soon done. */
const smallReads = 4;
/** What takes longer of the store is no small query. */
const trialMs = 80;
/** What was small before may be slow once because all is. */
const smallReadMs = 2000;

/** Makes a gate for all searches of an agent, whatever their dialect. */
export function createSearchGate(limits: GateLimits): QueryGate {
  const { atOnce, waiting, waitMs = 10_000 } = limits;
  const large = createPlaces({ atOnce, waiting, waitMs });
  const unbounded = { waiting: Number.POSITIVE_INFINITY, waitMs };
  // The engine has two threads and much of its memory for one: several are done no sooner side by side than one after another.
  const largeSeats = createPlaces({ atOnce: Math.ceil(atOnce / 4), ...unbounded });
  const trialSeats = createPlaces({ atOnce: trials, waiting, waitMs });
  const smallSeats = createPlaces({ atOnce: smallReads, waiting, waitMs });

  function createLane({ signal, known }: BeginOptions) {
    let isLarge = false;
    let waitedMs = 0;
    const waitFor = async (places: Places, ending: AbortSignal): Promise<void> => {
      const startedMs = performance.now();
      await places.acquire(ending).finally(() => {
        waitedMs += performance.now() - startedMs;
      });
    };
    const enter = async (): Promise<void> => {
      if (isLarge) return;
      await waitFor(large, signal);
      isLarge = true;
    };
    const readAsLarge = async <T>(ending: AbortSignal, ask: Ask<T>): Promise<T> => {
      await enter();
      await waitFor(largeSeats, ending);
      try {
        return await ask(ending, true);
      } finally {
        largeSeats.release();
      }
    };
    /** Goes on where it is among the large ones, if there is room for it. */
    const moveOver = (): boolean => {
      if (!largeSeats.tryAcquire()) return false;
      isLarge ||= large.tryAcquire();
      if (!isLarge) largeSeats.release();
      return isLarge;
    };
    const lane: Lane = {
      isLarge: () => isLarge,
      waitedMs: () => waitedMs,
      enter,
      async read(ending, ask) {
        if (isLarge) return readAsLarge(ending, ask);
        let seats = known === 'small' ? smallSeats : trialSeats;
        await waitFor(seats, ending);
        const trial = new AbortController();
        const leave = () => trial.abort(ending.reason);
        ending.addEventListener('abort', leave, { once: true });
        let isEnded = false;
        const timer = setTimeout(
          () => {
            if (moveOver()) {
              seats.release();
              seats = largeSeats;
            } else {
              isEnded = true;
              trial.abort(new Error('the query is not small and waits for its turn'));
            }
          },
          known === 'small' ? smallReadMs : trialMs,
        );
        try {
          return await ask(trial.signal, known !== 'small');
        } catch (error) {
          if (!isEnded || ending.aborted) throw error;
        } finally {
          clearTimeout(timer);
          ending.removeEventListener('abort', leave);
          seats.release();
        }
        return readAsLarge(ending, ask);
      },
    };
    return { lane, leave: () => void (isLarge && large.release()) };
  }

  return {
    async pass(signal, run) {
      await large.acquire(signal);
      try {
        return await run();
      } finally {
        large.release();
      }
    },
    async begin(options, run) {
      const { lane, leave } = createLane(options);
      if (options.known === 'large') await lane.enter();
      try {
        return await run(lane);
      } finally {
        leave();
      }
    },
  };
}
