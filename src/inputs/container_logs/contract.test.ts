import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeInput } from '../../../test/contract/input-kit.ts';
import { openLogWriter } from '../../../test/fault/rotate.ts';
import { containerLogsInput } from './index.ts';

describeInput({
  kind: containerLogsInput,
  onRetry: 'repeats',
  async openSource() {
    const root = mkdtempSync(join(tmpdir(), 'trawl-logs-'));
    const writer = openLogWriter({ root });
    return {
      config: { path: root, poll_interval: '10ms', scan_interval: '100ms' },
      produce: async (items) => writer.write(items),
      count: (batch) => batch.items.length,
      close: async () => {
        writer.close();
        rmSync(root, { recursive: true });
      },
    };
  },
});
