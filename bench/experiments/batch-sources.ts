/** Batches as inputs make them, made as cheaply as can be. */
import { randomBytes } from 'node:crypto';
import { decodeSpans } from '../../src/codec/zipkin-v2-json/decode-spans.ts';
import type { Batch } from '../../src/model/batch.ts';
import { createSeries, type Series } from '../../src/model/sample.ts';
import { createNumbers, createSpanBody } from '../lib/envoy-spans.ts';

export interface Source {
  readonly itemsPerBatch: number;
  next(): { readonly batch: Batch; readonly items: number };
}

/** Hex digits from one pool of random bytes, at a new place each time. */
function createHex(): (digits: number) => string {
  const pool = randomBytes(1 << 20).toString('hex');
  const random = createNumbers(7);
  return (digits) => {
    const at = random() % (pool.length - digits);
    return pool.slice(at, at + digits);
  };
}

/** Envoy's spans of `bench/lib/envoy-spans.ts`, decoded once; ids, times and three tags are new in each. */
export function createSpanSource(itemsPerBatch: number): Source {
  const templates = Array.from({ length: 16 }, (_, i) => decodeSpans(createSpanBody(i + 1).bytes)).flat();
  const hex = createHex();
  const random = createNumbers(11);
  let at = 0;
  return {
    itemsPerBatch,
    next() {
      const nowUs = Date.now() * 1000;
      let traceId = hex(32);
      const items = Array.from({ length: itemsPerBatch }, (_, i) => {
        const template = templates[at++ % templates.length];
        if (template === undefined) throw new Error('there is no template');
        if (i % 4 === 0) traceId = hex(32);
        return {
          ...template,
          traceId,
          id: hex(16),
          parentId: hex(16),
          startUs: nowUs - (random() % 1_000_000),
          durationUs: 10_000 + (random() % 90_000),
          attributes: {
            ...template.attributes,
            'guid:x-request-id': `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(12)}`,
            'http.url': `http://service:9080/api/v1/items/${hex(8)}`,
            'peer.address': `10.2.1${random() % 90}.1:5${random() % 9000}`,
          },
        };
      });
      return { batch: { signal: 'spans', items }, items: itemsPerBatch };
    },
  };
}

/** Counters as a mesh has them: eight labels a series, scraped target by target, each a little more than before. */
export function createSampleSource(options: { readonly series: number; readonly perTarget: number }): Source {
  const { perTarget } = options;
  const targets = Array.from({ length: Math.ceil(options.series / perTarget) }, (_, target) =>
    Array.from({ length: perTarget }, (_, i): { series: Series; value: number } => ({
      series: createSeries([
        ['__name__', `istio_requests_${i % 25}_total`],
        ['job', 'mesh'],
        ['instance', `10.1.${target >> 8}.${target & 255}:15020`],
        ['pod', `service-${target}-v1-6b746f74dc-9stvs`],
        ['namespace', 'default'],
        ['source_workload', `service-${(target + i) % 50}`],
        ['response_code', i % 2 === 0 ? '200' : '503'],
        ['path', `/api/${Math.floor(i / 50)}`],
      ]),
      value: 1000 * i,
    })),
  );
  const random = createNumbers(13);
  let at = 0;
  return {
    itemsPerBatch: perTarget,
    next() {
      const target = targets[at++ % targets.length] ?? [];
      const timestampMs = Date.now();
      const items = target.map((counter) => {
        counter.value += random() % 5;
        return { series: counter.series, samples: [{ timestampMs, value: counter.value, isStale: false }] };
      });
      return { batch: { signal: 'samples', items }, items: perTarget };
    },
  };
}
