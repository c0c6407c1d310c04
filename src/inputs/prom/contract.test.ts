import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describeInput } from '../../../test/contract/input-kit.ts';
import { until } from '../../../test/fixtures/fake-host.ts';
import { labelValue } from '../../model/sample.ts';
import { promInput } from './index.ts';

describeInput({
  kind: promInput,
  onRetry: 'drops',
  secretConfig: (secret) => ({ http_headers: { 'x-key': secret }, auth: { type: 'bearer_token', token: secret } }),
  async openSource() {
    let page = '';
    let scraped = 0;
    let next = 0;
    const server = createServer((_, response) => {
      response.end(page);
      // Each sample is exposed once, with a time of its own, so that no marker follows.
      if (page !== '') scraped++;
      page = '';
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    return {
      config: { urls: [`http://127.0.0.1:${port}/metrics`], interval: '1s' },
      async produce(items, host) {
        const before = scraped;
        const nowMs = host.clock.nowMs();
        page = Array.from({ length: items }, () => `produced{n="${next++}"} 1 ${nowMs}\n`).join('');
        await until('the page is scraped', () => scraped > before);
      },
      count: (batch) =>
        batch.signal === 'samples'
          ? batch.items.filter(({ series }) => labelValue(series, '__name__') === 'produced').length
          : 0,
      close: async () => {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      },
    };
  },
});
