/** Items of every signal that can be told apart by number, and what must be left of them after a way through somebody's protocol. */
import type { Batch, Signal } from '../../src/model/batch.ts';
import { emptyResource } from '../../src/model/resource.ts';
import { createSeries, labelValue } from '../../src/model/sample.ts';

const startUs = 1_700_000_000_000_000;
const hex = (id: number, digits: number): string => id.toString(16).padStart(digits, '0');

/** A batch with one item for each number from 1 to 2^32. */
export function numberedBatch(signal: Signal, ids: readonly number[]): Batch {
  switch (signal) {
    case 'spans':
      return {
        signal,
        items: ids.map((id) => ({
          traceId: hex(id, 32),
          id: hex(id, 16),
          parentId: undefined,
          kind: 'SERVER',
          shared: false,
          debug: false,
          name: 'get /items',
          startUs: startUs + id,
          durationUs: 1000 + id,
          status: 'unset',
          localEndpoint: { serviceName: 'shop', ipv4: '127.0.0.1', ipv6: undefined, port: 9080 },
          remoteEndpoint: undefined,
          events: [],
          attributes: { number: String(id), text: 'ü "quoted" \\ \n' },
          resource: { ...emptyResource, service: 'shop' },
        })),
      };
    case 'samples':
      return {
        signal,
        items: ids.map((id) => ({
          series: createSeries([
            ['__name__', 'items_total'],
            ['number', String(id)],
            ['text', 'ü "quoted" \\ \n'],
          ]),
          samples: [{ timestampMs: startUs / 1000 + id, value: id + 0.5, isStale: false }],
        })),
      };
    case 'logs':
      return {
        signal,
        items: ids.map((id) => ({
          timeNs: BigInt(startUs + id) * 1000n,
          stream: 'stdout',
          body: `line ${id}: ü "quoted" \\ \t`,
          severity: '',
          traceId: '',
          spanId: '',
          requestId: '',
          attributes: {},
          resource: { ...emptyResource, service: 'shop', namespace: 'default', pod: 'shop-1', container: 'shop' },
        })),
      };
  }
}

/** The part of each item that no protocol may lose, as text, in order. Equal texts are the same item. */
export function essenceOf(batch: Batch): readonly string[] {
  switch (batch.signal) {
    case 'spans':
      return batch.items.map(({ traceId, id, kind, name, startUs, durationUs, localEndpoint, attributes }) =>
        JSON.stringify([
          [traceId, id, kind, name, startUs, durationUs],
          [localEndpoint?.serviceName, attributes['number'], attributes['text']],
        ]),
      );
    case 'samples':
      return batch.items.flatMap(({ series, samples }) =>
        samples.map(({ timestampMs, value }) =>
          JSON.stringify([
            ['__name__', 'number', 'text'].map((name) => labelValue(series, name)),
            [timestampMs, value],
          ]),
        ),
      );
    case 'logs':
      return batch.items.map(({ timeNs, body }) => JSON.stringify([String(timeNs), body]));
  }
}
