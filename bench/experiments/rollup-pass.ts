/** What a pass costs: 3 million spans in a minute (50,000 a second), and what telling stale minutes costs with many parts. `npx tsx bench/experiments/rollup-pass.ts [spans]` */
import { readStaleMinutes } from '../../src/store/rollups/minutes.ts';
import { runRollupPass } from '../../src/store/rollups/pass.ts';
import { readTopology } from '../../src/store/rollups/topology.ts';
import { insertSpans } from './generate-spans.ts';
import { measure, openInProcessStore, quit } from './in-process-store.ts';

const spans = Number(process.argv[2] ?? 3_000_000);
const startS = 1_795_000_020;
const signal = AbortSignal.timeout(300_000);
const { client, run } = await openInProcessStore();
const print = (what: string, values: object) => console.log(JSON.stringify({ what, ...values }));
const rssMiB = () => Math.round(process.memoryUsage().rss / 2 ** 20);

let peak = 0;
const sampler = setInterval(() => {
  peak = Math.max(peak, rssMiB());
}, 20);
for (let seg = 1; seg <= 10; seg++) {
  await run(insertSpans({ count: spans / 10, fromS: startS + (seg - 1) * 6, seconds: 6, seg }));
}
const before = rssMiB();
peak = before;
const window = { startMs: startS * 1000, endMs: (startS + 60) * 1000, signal, timeoutMs: 60_000 };
const live = await measure(() => readTopology(client, window));
print('topology from the spans', {
  spans,
  cpuSeconds: live.cpuSeconds,
  seconds: live.seconds,
  edges: live.result.edges.length,
});
const pass = await measure(() => runRollupPass(client, { nowMs: (startS + 400) * 1000, signal }));
print('pass', {
  ...pass.result,
  cpuSeconds: pass.cpuSeconds,
  seconds: pass.seconds,
  rssBeforeMiB: before,
  rssPeakMiB: peak,
});
const rolled = await measure(() => readTopology(client, window));
print('topology from the roll-ups', {
  cpuSeconds: rolled.cpuSeconds,
  seconds: rolled.seconds,
  isSame: JSON.stringify(rolled.result) === JSON.stringify(live.result),
});
print(
  'size',
  JSON.parse(
    await run(`SELECT table, sum(rows) AS rows, sum(bytes_on_disk) AS bytes FROM system.parts
  WHERE active AND table = 'rollup_operations' GROUP BY table FORMAT JSONEachRow`),
  ),
);
print(
  'quantiles',
  JSON.parse(
    await run(`SELECT quantilesExact(0.5, 0.95, 0.99)(duration_us) AS exact, quantilesDD(0.01, 0.5, 0.95, 0.99)(duration_us) AS dd,
  quantilesTDigest(0.5, 0.95, 0.99)(duration_us) AS tdigest, length(toString(quantilesDDState(0.01, 0.5)(duration_us))) AS ddBytes,
  length(toString(quantilesTDigestState(0.5)(duration_us))) AS tdigestBytes FROM spans WHERE local_service = 'svc7' AND kind = 2 FORMAT JSONEachRow`),
  ),
);
print('histogram', rolled.result.nodes.find(({ service }) => service === 'svc7') ?? {});

await run('SYSTEM STOP MERGES spans');
const insert = await measure(async () => {
  // A segment of 5,000 every 200 ms, with rows for ten old minutes in every tenth.
  for (let i = 0; i < 300; i++) {
    const isLate = i % 10 === 0;
    const fromS = startS + 600 + (isLate ? -600 : Math.floor(i / 5));
    await run(insertSpans({ count: 1000, fromS, seconds: isLate ? 600 : 1, seg: 100 + i }));
  }
});
print('300 segments inserted', { cpuMsEach: (insert.cpuSeconds * 1000) / 300 });
const stale = await measure(() =>
  readStaleMinutes(client, {
    range: { from: startS - 86_400, to: startS + 86_400 },
    upTo: '18446744073709551615',
    signal,
  }),
);
print('stale minutes told, 310 parts', {
  minutes: stale.result.length,
  seconds: stale.seconds,
  cpuSeconds: stale.cpuSeconds,
});
const again = await measure(() => runRollupPass(client, { nowMs: (startS + 1200) * 1000, signal, redoAfterMs: 0 }));
print('pass over eleven minutes, ten of them dirty', {
  ...again.result,
  seconds: again.seconds,
  cpuSeconds: again.cpuSeconds,
});
const sums = await run(`SELECT (SELECT count() FROM spans) AS spans, (SELECT sum(requests) FROM rollup_operations
  WHERE (minute, pass) IN (SELECT minute, max(pass) FROM rollup_minutes GROUP BY minute)) AS rolledUp`);
print('sums', JSON.parse(sums));
clearInterval(sampler);
quit();
