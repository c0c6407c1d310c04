import { describeInput } from '../../../test/contract/input-kit.ts';
import { numberedBatch } from '../../../test/contract/model-items.ts';
import { encodeSpans } from '../../codec/zipkin-v2-json/encode-spans.ts';
import { zipkinInput } from './index.ts';

describeInput({
  kind: zipkinInput,
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
        const route = host.ingestRoutes.find(({ path }) => path === '/api/v2/spans');
        if (route === undefined || batch.signal !== 'spans') throw new Error('the input has no route');
        await route.handle({
          path: route.path,
          mediaType: 'application/json',
          body: Buffer.from(encodeSpans(batch.items)),
          signal: AbortSignal.timeout(10_000),
        });
      },
      count: (batch) => batch.items.length,
      close: async () => undefined,
    };
  },
});
