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
const trialsAtOnce = 2;
/** How many small ones do; they are soon done. */
const smallReadsAtOnce = 4;
/** What takes longer of the store is no small query. */
const trialMs = 80;
/** What was small before may be slow once because all is. */
const smallReadMs = 2000;

/** Who is at work, and who waits for it. */
interface Seats {
  /** Large queries, from when they are found to be large until they are done. */
  readonly large: Places;
  /** Of those, the ones that ask the store at the moment. */
  readonly largeReads: Places;
  readonly trials: Places;
  readonly smallReads: Places;
}

/** One query's way through the seats; `leave` gives back what it has, and whatever it would get from then on. */
function createLane(
  seats: Seats,
  { signal, known }: BeginOptions,
): { readonly lane: Lane; readonly leave: () => void } {
  const isKnownSmall = known === 'small';
  let isLarge = false;
  let hasLeft = false;
  let waitedMs = 0;
  let entering: Promise<void> | undefined;

  const waitFor = async (places: Places, ending: AbortSignal): Promise<void> => {
    const startedMs = performance.now();
    await places.acquire(ending).finally(() => {
      waitedMs += performance.now() - startedMs;
    });
  };
  const takePlace = (): void => {
    if (isLarge || hasLeft) seats.large.release();
    else isLarge = true;
  };
  const enter = async (): Promise<void> => {
    if (isLarge) return;
    entering ??= waitFor(seats.large, signal)
      .then(takePlace)
      .finally(() => {
        entering = undefined;
      });
    await entering;
  };
  /** Goes on where it is among the large ones, if there is room for it. */
  const moveOver = (): boolean => {
    if (hasLeft || !seats.largeReads.tryAcquire()) return false;
    isLarge ||= seats.large.tryAcquire();
    if (!isLarge) seats.largeReads.release();
    return isLarge;
  };
  const readAsLarge = async <T>(ending: AbortSignal, ask: Ask<T>): Promise<T> => {
    await enter();
    await waitFor(seats.largeReads, ending);
    try {
      return await ask(ending, true);
    } finally {
      seats.largeReads.release();
    }
  };
  const readAsTrial = async <T>(ending: AbortSignal, ask: Ask<T>): Promise<T> => {
    let seat = isKnownSmall ? seats.smallReads : seats.trials;
    await waitFor(seat, ending);
    const trial = new AbortController();
    const leave = () => trial.abort(ending.reason);
    ending.addEventListener('abort', leave, { once: true });
    let isEnded = false;
    const timer = setTimeout(
      () => {
        if (moveOver()) {
          seat.release();
          seat = seats.largeReads;
        } else {
          isEnded = true;
          trial.abort(new Error('the query is not small and waits for its turn'));
        }
      },
      isKnownSmall ? smallReadMs : trialMs,
    );
    try {
      return await ask(trial.signal, !isKnownSmall);
    } catch (error) {
      if (!isEnded || ending.aborted) throw error;
    } finally {
      clearTimeout(timer);
      ending.removeEventListener('abort', leave);
      seat.release();
    }
    return readAsLarge(ending, ask);
  };

  return {
    lane: {
      isLarge: () => isLarge,
      waitedMs: () => waitedMs,
      enter,
      read: (ending, ask) => (isLarge ? readAsLarge(ending, ask) : readAsTrial(ending, ask)),
    },
    leave() {
      hasLeft = true;
      if (isLarge) seats.large.release();
    },
  };
}

/** Makes a gate for all searches of an agent, whatever their dialect. */
export function createSearchGate(limits: GateLimits): QueryGate {
  const { atOnce, waiting, waitMs = 10_000 } = limits;
  const unbounded = { waiting: Number.POSITIVE_INFINITY, waitMs };
  const seats: Seats = {
    large: createPlaces({ atOnce, waiting, waitMs }),
    // The engine has two threads and much of its memory for one: several are done no sooner side by side than one after another.
    largeReads: createPlaces({ atOnce: Math.ceil(atOnce / 4), ...unbounded }),
    trials: createPlaces({ atOnce: trialsAtOnce, waiting, waitMs }),
    smallReads: createPlaces({ atOnce: smallReadsAtOnce, waiting, waitMs }),
  };
  return {
    async pass(signal, run) {
      await seats.large.acquire(signal);
      try {
        return await run();
      } finally {
        seats.large.release();
      }
    },
    async begin(options, run) {
      const { lane, leave } = createLane(seats, options);
      try {
        if (options.known === 'large') await lane.enter();
        return await run(lane);
      } finally {
        leave();
      }
    },
  };
}
