import { z } from 'zod';
import { component, duration, headers, size, tlsKeys, url } from '../../config/fields.ts';

export const zipkinOutputConfig = component(
  z.strictObject({
    url: url()
      .describe('Where spans are posted in Zipkin v2 JSON: the whole address, path included.')
      .meta({ example: 'http://zipkin.istio-system:9411/api/v2/spans' }),
    timeout: duration({ minMs: 100, maxMs: 300_000 }).prefault('10s').describe('How long one attempt may take.'),
    headers: headers().default({}).describe('Sent with every request.'),
    compression: z.enum(['gzip', 'none']).default('gzip').describe('How bodies are compressed.'),
    max_spool_bytes: size({ minBytes: 1024 * 1024 })
      .prefault('1GiB')
      .describe('The most that waits on disk while the backend is slow or down.'),
    when_full: z
      .enum(['drop_oldest', 'refuse'])
      .default('drop_oldest')
      .describe(
        'What happens then: `drop_oldest` loses the oldest, counts it and turns health red; `refuse` answers 429 to every sender.',
      ),
    ...tlsKeys(),
  }),
  {},
);

export type ZipkinOutputConfig = z.infer<typeof zipkinOutputConfig>;
