/** The contract's source for an input that is pushed to by POST: numbered items, in the body that the input's clients send. */

import type { Span } from '../../src/model/span.ts';
import type { InputKind } from '../../src/pipeline/component.ts';
import { describeInput } from './input-kit.ts';
import { numberedBatch } from './model-items.ts';

export interface PushRoute<Config> {
  readonly kind: InputKind<Config>;
  readonly path: string;
  readonly mediaType: string;
  /** A body with an item for each number. */
  encode(numbers: readonly number[]): string | Uint8Array;
}

/** Holds an input to the contract through one of its routes. */
export function describePushRoute<Config>({ kind, path, mediaType, encode }: PushRoute<Config>): void {
  describeInput({
    kind,
    onRetry: 'tells',
    async openSource() {
      let next = 1;
      return {
        config: {},
        async produce(items, host) {
          const route = host.ingestRoutes.find((known) => known.path === path);
          if (route === undefined) throw new Error('the input has no route');
          const body = Buffer.from(encode(Array.from({ length: items }, () => next++)));
          await route.handle({ path, mediaType, body, signal: AbortSignal.timeout(10_000) });
        },
        count: (batch) => batch.items.length,
        close: async () => undefined,
      };
    },
  });
}

export interface SpanRoute<Config> extends Omit<PushRoute<Config>, 'encode'> {
  encode(spans: readonly Span[]): string | Uint8Array;
}

/** The same for a route that takes spans. */
export function describeSpanRoute<Config>({ encode, ...route }: SpanRoute<Config>): void {
  describePushRoute({
    ...route,
    encode(numbers) {
      const batch = numberedBatch('spans', numbers);
      if (batch.signal !== 'spans') throw new Error('these are no spans');
      return encode(batch.items);
    },
  });
}
