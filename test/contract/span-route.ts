/** The contract's source for an input that takes spans by POST: numbered spans, in the body that the input's clients send. */

import type { Span } from '../../src/model/span.ts';
import type { InputKind } from '../../src/pipeline/component.ts';
import { describeInput } from './input-kit.ts';
import { numberedBatch } from './model-items.ts';

export interface SpanRoute<Config> {
  readonly kind: InputKind<Config>;
  readonly path: string;
  readonly mediaType: string;
  encode(spans: readonly Span[]): string | Uint8Array;
}

/** Holds an input to the contract through one of its routes. */
export function describeSpanRoute<Config>({ kind, path, mediaType, encode }: SpanRoute<Config>): void {
  describeInput({
    kind,
    onRetry: 'tells',
    async openSource() {
      let next = 1;
      return {
        config: {},
        async produce(items, host) {
          const batch = numberedBatch(
            'spans',
            Array.from({ length: items }, () => next++),
          );
          const route = host.ingestRoutes.find((known) => known.path === path);
          if (route === undefined || batch.signal !== 'spans') throw new Error('the input has no route');
          await route.handle({
            path,
            mediaType,
            body: Buffer.from(encode(batch.items)),
            signal: AbortSignal.timeout(10_000),
          });
        },
        count: (batch) => batch.items.length,
        close: async () => undefined,
      };
    },
  });
}
