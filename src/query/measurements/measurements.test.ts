import { describe, expect, it } from 'vitest';
import { StoreError } from '../../store/client.ts';
import { createMeasurementRoute, type MeasurementSource } from './index.ts';

async function ask(measurements: MeasurementSource['measurements']) {
  const route = createMeasurementRoute({ measurements });
  const { signal } = new AbortController();
  const { status, body } = await route.handle({ params: {}, query: new URLSearchParams(), form: undefined, signal });
  return { status, text: body.toString() };
}

describe('/api/trawl/measurements', () => {
  it('tells what DataKit’s users look for: measurement, fields, tag keys and the last sample', async () => {
    const { status, text } = await ask(() =>
      Promise.resolve({
        items: [
          {
            measurement: 'istio_prom',
            fields: ['istio_requests_total'],
            tagKeys: ['job', 'namespace'],
            series: 3,
            lastSampleMs: Date.UTC(2026, 10, 21, 12),
            lastDayMs: Date.UTC(2026, 10, 21),
          },
          {
            measurement: 'old',
            fields: [],
            tagKeys: [],
            series: 1,
            lastSampleMs: undefined,
            lastDayMs: Date.UTC(2026, 10, 1),
          },
        ],
        isTruncated: false,
      }),
    );
    expect(status).toBe(200);
    expect(JSON.parse(text)).toEqual({
      measurements: [
        {
          measurement: 'istio_prom',
          fields: ['istio_requests_total'],
          tagKeys: ['job', 'namespace'],
          series: 3,
          lastSample: '2026-11-21T12:00:00.000Z',
          lastDay: '2026-11-21',
        },
        { measurement: 'old', fields: [], tagKeys: [], series: 1, lastSample: null, lastDay: '2026-11-01' },
      ],
      truncated: false,
    });
  });

  it('says that the store is away', async () => {
    const away = new StoreError('connection refused', { isRetryable: true });
    expect(await ask(() => Promise.reject(away))).toEqual({
      status: 503,
      text: 'the store cannot answer now: connection refused',
    });
  });
});
