import { describeOutput } from '../../../test/contract/output-kit.ts';
import { decodeSpans } from '../../codec/zipkin-v2-json/decode-spans.ts';
import { zipkinOutput } from './index.ts';

describeOutput({
  kind: zipkinOutput,
  signals: ['spans'],
  takeStatus: 202,
  config: (origin) => ({ url: `${origin}/api/v2/spans` }),
  secretConfig: (secret) => ({ headers: { Authorization: `Bearer ${secret}` } }),
  read({ body }) {
    const items = decodeSpans(body);
    return items.length === 0 ? [] : [{ signal: 'spans', items }];
  },
});
