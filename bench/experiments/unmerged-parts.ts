/** By id while parts are many: 300 unmerged parts of one day, ids that are there and ids that nobody knows. `npx tsx bench/experiments/unmerged-parts.ts` */
import { insertSpans } from './generate-spans.ts';
import { measure, openInProcessStore, quit } from './in-process-store.ts';

const startS = 1_795_000_020;
const { client, run } = await openInProcessStore();
const signal = AbortSignal.timeout(300_000);
const quantile = (values: readonly number[], q: number) =>
  [...values].sort((a, b) => a - b)[Math.floor(q * (values.length - 1))]?.toFixed(1);

async function lookUp(ids: readonly string[]) {
  const ms: number[] = [];
  const { cpuSeconds } = await measure(async () => {
    for (const id of ids) {
      const start = performance.now();
      await client.rows({
        sql: `SELECT id, name FROM spans WHERE trace_id = toFixedString(unhex('${id}'), 16)`,
        signal,
      });
      ms.push(performance.now() - start);
    }
  });
  return {
    p50Ms: quantile(ms, 0.5),
    p95Ms: quantile(ms, 0.95),
    cpuMsEach: ((cpuSeconds * 1000) / ids.length).toFixed(2),
  };
}

await run('SYSTEM STOP MERGES spans');
for (const parts of [10, 100, 300]) {
  const [row] = await client.rows<{ n: string }>({
    sql: `SELECT toString(count()) AS n FROM system.parts WHERE active AND table = 'spans'`,
    signal,
  });
  for (let seg = Number(row?.n ?? 0) + 1; seg <= parts; seg++) {
    await run(insertSpans({ count: 5000, fromS: startS + seg * 10, seconds: 10, seg }));
  }
  const known = await client.rows<{ id: string }>({
    sql: 'SELECT hex(trace_id) AS id FROM spans ORDER BY cityHash64(trace_id) LIMIT 100',
    signal,
  });
  const unknown = Array.from({ length: 100 }, (_, i) => i.toString(16).padStart(32, 'f'));
  console.log(
    JSON.stringify({ parts, known: await lookUp(known.map(({ id }) => id)), unknown: await lookUp(unknown) }),
  );
}
quit();
