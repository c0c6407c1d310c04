/** The contracts that every input and output kind fulfils; `test/contract/` holds a kit that each must pass. */
import type { Logger } from 'pino';
import type { ZodType } from 'zod';
import type { Accept, Batch, Position } from '../model/batch.ts';
import type { IngestRoutes } from './ingest-route.ts';
import type { Meter } from './meter.ts';

/** Time as a component sees it, so that a test can hand in its own. */
export interface Clock {
  /** Milliseconds since 1970; may jump. */
  nowMs(): number;
  /** Milliseconds since some start; never goes back. For intervals and deadlines. */
  monotonicMs(): number;
  /** Resolves after `delayMs`, or rejects with the signal's reason as soon as it aborts. */
  sleep(delayMs: number, signal: AbortSignal): Promise<void>;
}

/** What a component is given of the outside world. */
export interface Host {
  /** The component's own name in logs, metrics and status: `inputs.zipkin`, or `inputs.prom#2` for the third block of its kind. */
  readonly name: string;
  /** The node that the agent runs on. */
  readonly nodeName: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly meter: Meter;
  /** A directory of the agent's that the component may keep files under. */
  readonly dataDirectory: string;
  /** Routes of the agent's own listeners, for inputs that are pushed to. */
  readonly routes: IngestRoutes;
  /** The kept positions whose key starts with `prefix`. */
  positions(prefix: string): readonly Position[];
}

/** One line that a person can act on. */
export interface Health {
  readonly isHealthy: boolean;
  readonly line: string;
}

/** Why a component is stopped: the program ends, or its block is gone or changed. A scraper marks its series as ended in the latter case alone. */
export type StopReason = 'shutdown' | 'removed';

/** A started component. `stop` may be called twice; it resolves when everything is released, or when `deadline` aborts. */
export interface Running {
  /** `because` is 'shutdown' unless told. */
  stop(deadline: AbortSignal, because?: StopReason): Promise<void>;
  health(): Health;
}

/**
 * A kind of input. `start` does no I/O before it is called, and what it starts it also stops.
 * `config` is a zod object schema whose every key has `.describe(...)`; defaults, samples and the reference come from it.
 */
export interface InputKind<Config> {
  readonly type: string;
  readonly summary: string;
  readonly config: ZodType<Config>;
  start(config: Config, host: Host, accept: Accept): Promise<Running>;
}

/** One request body for a backend, as it lies in the output's spool. */
export interface EncodedBody {
  readonly bytes: Uint8Array;
  readonly items: number;
}

/** What a backend said to one body. `rejected` bodies are not sent again; `retry` ones are, after `afterMs` if it is given. */
export type Delivery =
  | { readonly kind: 'delivered' }
  | {
      readonly kind: 'retry';
      readonly afterMs?: number;
      /** The body went out and no answer came: the backend may have taken it, and the next attempt may repeat it. */
      readonly mayHaveArrived?: boolean;
      readonly cause: Error;
    }
  | { readonly kind: 'rejected'; readonly cause: Error };

/** A connected output: pure encoding on one side, one attempt at sending on the other. The spool and the retries between them are the pipeline's. */
export interface Sink {
  /** The body for a batch, or undefined when the output does not take that signal. Synchronous and pure. */
  encode(batch: Batch): EncodedBody | undefined;
  /** One attempt. Never throws for what a backend or network does; the deadline is the signal's. */
  send(body: EncodedBody, signal: AbortSignal): Promise<Delivery>;
  /** Proves address and credentials without sending data. */
  probe(signal: AbortSignal): Promise<Health>;
  close(): Promise<void>;
}

/** A kind of output. `connect` does no I/O. */
export interface OutputKind<Config> {
  readonly type: string;
  readonly summary: string;
  readonly config: ZodType<Config>;
  connect(config: Config, host: Host): Sink;
}
