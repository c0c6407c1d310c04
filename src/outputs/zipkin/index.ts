/** Hands spans on to anything that takes Zipkin v2 JSON. */
import { encodeSpans } from '../../codec/zipkin-v2-json/encode-spans.ts';
import type { Batch } from '../../model/batch.ts';
import type { EncodedBody, Health, Host, OutputKind, Sink } from '../../pipeline/component.ts';
import { printableAddress } from './address.ts';
import { type ZipkinOutputConfig, zipkinOutputConfig } from './config.ts';
import { createConnection } from './connection.ts';

/** What senders of Zipkin's post to see whether anybody takes it. */
const emptyList = Buffer.from('[]', 'utf8');

export const zipkinOutput: OutputKind<ZipkinOutputConfig> = {
  type: 'zipkin',
  summary: 'Sends spans to a Zipkin server, or to whatever takes Zipkin v2 JSON.',
  config: zipkinOutputConfig,
  connect: (config, host) => connect(config, host),
};

function connect(config: ZipkinOutputConfig, host: Host): Sink {
  const connection = createConnection(config, () => host.clock.nowMs());
  return {
    encode: (batch: Batch): EncodedBody | undefined =>
      batch.signal === 'spans'
        ? { bytes: Buffer.from(encodeSpans(batch.items), 'utf8'), items: batch.items.length }
        : undefined,
    send: (body, signal) => connection.post(body.bytes, signal),
    async probe(signal): Promise<Health> {
      const delivery = await connection.post(emptyList, signal);
      if (delivery.kind !== 'delivered') return { isHealthy: false, line: delivery.cause.message };
      return { isHealthy: true, line: `${printableAddress(config.url)} takes spans` };
    },
    close: () => connection.close(),
  };
}
