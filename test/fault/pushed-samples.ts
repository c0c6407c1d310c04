/** Samples that are pushed by remote write while the agent is killed: which were acknowledged, and what became of them. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { StoreClient } from '../../src/store/client.ts';
import { readSamples } from '../../src/store/readers/samples.ts';
import type { TestAgent } from '../fixtures/agent.ts';
import { compress, encodeWriteRequest } from '../fixtures/write-request.ts';

export interface PushedVerdict {
  readonly acknowledged: number;
  readonly stored: number;
  readonly lost: number;
  readonly altered: number;
  readonly storedTwice: number;
}

export interface PushedOracle {
  /** Pushes one body after another until told to stop; an error only means that nobody answered. */
  push(agent: TestAgent, isOver: () => boolean): Promise<void>;
  judge(client: StoreClient): Promise<PushedVerdict>;
}

const seriesInBody = 7;
/** Every so many bodies bring series that were never there before: a series is written once, so that its row may be what a kill takes. */
const bodiesPerSeries = 20;
const metric = 'crash_pushed_total';

/** Makes an oracle whose samples begin at `startMs`, a millisecond apart. */
export function createPushedOracle(startMs: number): PushedOracle {
  let bodies = 0;
  /** By series and time, what was sent. */
  const sent = new Map<string, number>();
  const acknowledged = new Set<string>();

  return {
    async push(agent, isOver) {
      while (!isOver()) {
        const body = bodies++;
        const timestampMs = startMs + body;
        const series = Array.from({ length: seriesInBody }, (_, i) => {
          const name = `${Math.floor(body / bodiesPerSeries)}-${i}`;
          const value = body * seriesInBody + i + (i === 0 ? 0.125 : 0);
          sent.set(`${name} ${timestampMs}`, value);
          const labels: [string, string][] = [
            ['__name__', metric],
            ['series', name],
          ];
          return { name, labels, samples: [[timestampMs, value] as const] };
        });
        try {
          const { status } = await agent.post('/api/v1/write', compress(encodeWriteRequest(series)), {
            'content-type': 'application/x-protobuf',
            'content-encoding': 'snappy',
          });
          if (status === 204) for (const { name } of series) acknowledged.add(`${name} ${timestampMs}`);
          await sleep(status === 204 ? 2 : 20);
        } catch {
          // The agent is dead at the moment: this body was not acknowledged.
          await sleep(20);
        }
      }
    },
    async judge(client) {
      const signal = AbortSignal.timeout(60_000);
      // As a query reads them: a series whose row is gone loses its samples too.
      const found = await readSamples(
        client,
        {
          matchers: [{ name: '__name__', op: '=', value: metric }],
          afterMs: startMs - 1,
          untilMs: startMs + bodies,
        },
        { signal },
      );
      let altered = 0;
      const stored = new Set<string>();
      for (const { labels, timestampsMs, values } of found) {
        const name = labels.find(([label]) => label === 'series')?.[1] ?? '';
        timestampsMs.forEach((timestampMs, i) => {
          const key = `${name} ${timestampMs}`;
          stored.add(key);
          if (sent.get(key) !== values[i]) altered++;
        });
      }
      const [row] = await client.rows<{ n: string }>({
        sql: `SELECT toString(count()) AS n FROM samples WHERE metric = '${metric}'`,
        signal,
      });
      return {
        acknowledged: acknowledged.size,
        stored: stored.size,
        lost: [...acknowledged].filter((key) => !stored.has(key)).length,
        altered,
        storedTwice: Number(row?.n) - stored.size,
      };
    },
  };
}
