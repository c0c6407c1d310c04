/** Taking a segment away again: lightweight DELETE and ALTER … DELETE with the text index and the projection. `npx tsx bench/experiments/delete-segment.ts` */
import { insertSpans } from './generate-spans.ts';
import { measure, openInProcessStore, quit } from './in-process-store.ts';

const startS = 1_795_000_020;
const { client, run } = await openInProcessStore();
const signal = AbortSignal.timeout(300_000);
const [segments, rows] = [20, 25_000];
for (let seg = 1; seg <= segments; seg++) {
  await run(insertSpans({ count: rows, fromS: startS + seg * 5, seconds: 5, seg, withTags: true }));
}
const parts = async () =>
  run(`SELECT count() AS parts, max(rows) AS largest FROM system.parts WHERE active AND table = 'spans'`);

async function attempt(what: string, seg: number, sql: string) {
  const before = await parts();
  const took = await measure(() => run(sql));
  const [left] = await client.rows<{ n: string; arrivals: string; tagged: string; open: string }>({
    sql: `SELECT toString((SELECT count() FROM spans WHERE seg = ${seg})) AS n,
      toString((SELECT sum(c) FROM (SELECT toStartOfMinute(ts) AS m, count() AS c FROM spans GROUP BY m))) AS arrivals,
      toString((SELECT count() FROM spans WHERE has(arrayMap((k, v) -> concat(k, '=', v), mapKeys(tags), mapValues(tags)), 'http.method=GET'))) AS tagged,
      toString((SELECT count() FROM system.mutations WHERE NOT is_done)) AS open`,
    signal,
  });
  console.log(
    JSON.stringify({ what, before: JSON.parse(before), seconds: took.seconds, cpuSeconds: took.cpuSeconds, left }),
  );
}

await attempt('lightweight DELETE', 3, 'DELETE FROM spans WHERE seg = 3');
await attempt(
  'ALTER DELETE, mutations_sync = 1',
  4,
  'ALTER TABLE spans DELETE WHERE seg = 4 SETTINGS mutations_sync = 1',
);
await attempt('ALTER DELETE, the default', 5, 'ALTER TABLE spans DELETE WHERE seg = 5');
await run('OPTIMIZE TABLE spans FINAL');
await attempt('lightweight DELETE, all in one part', 6, 'DELETE FROM spans WHERE seg = 6');
await attempt('ALTER DELETE, all in one part', 7, 'ALTER TABLE spans DELETE WHERE seg = 7 SETTINGS mutations_sync = 1');
quit();
