import { describe } from 'vitest';
import { describeInput } from '../../../test/contract/input-kit.ts';
import { numberedBatch } from '../../../test/contract/model-items.ts';
import { encodeProtobufSpans } from '../../codec/otlp/encode-spans.ts';
import { traceExportPath } from './grpc-route.ts';
import { otlpInput } from './index.ts';

describe.each(['/v1/traces', traceExportPath])('by %s', (routePath) => {
  describeInput({
    kind: otlpInput,
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
          const route = host.ingestRoutes.find(({ path }) => path === routePath);
          if (route === undefined || batch.signal !== 'spans') throw new Error('the input has no route');
          await route.handle({
            path: route.path,
            mediaType: 'application/x-protobuf',
            body: Buffer.from(encodeProtobufSpans(batch.items)),
            signal: AbortSignal.timeout(10_000),
          });
        },
        count: (batch) => batch.items.length,
        close: async () => undefined,
      };
    },
  });
});
