import { describeSpanRoute } from '../../../test/contract/span-route.ts';
import { encodeSpans } from '../../codec/zipkin-v2-json/encode-spans.ts';
import { zipkinInput } from './index.ts';

describeSpanRoute({
  kind: zipkinInput,
  path: '/api/v2/spans',
  mediaType: 'application/json',
  encode: encodeSpans,
});
