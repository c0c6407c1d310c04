import { describeInput } from '../../../test/contract/input-kit.ts';
import { compress, encodeWriteRequest } from '../../../test/fixtures/write-request.ts';
import { remoteWriteInput } from './index.ts';

const path = '/api/v1/write';

describeInput({
  kind: remoteWriteInput,
  onRetry: 'tells',
  async openSource() {
    let next = 1;
    return {
      config: {},
      async produce(items, host) {
        const route = host.ingestRoutes.find((known) => known.path === path);
        if (route === undefined) throw new Error('the input has no route');
        const series = Array.from({ length: items }, () => ({
          labels: [
            ['__name__', 'numbered'],
            ['n', String(next)],
          ] as const,
          samples: [[next++, 1]] as const,
        }));
        const body = compress(encodeWriteRequest(series));
        await route.handle({ path, mediaType: 'application/x-protobuf', body, signal: AbortSignal.timeout(10_000) });
      },
      count: (batch) => batch.items.length,
      close: async () => undefined,
    };
  },
});
