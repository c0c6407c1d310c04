/** Zipkin's dependencies over a day of 10 million spans: an hour is passed, the others are copies of its roll-ups. `npx tsx bench/experiments/dependencies-day.ts` */
import { readDependencies } from '../../src/store/rollups/dependencies.ts';
import { runRollupPass } from '../../src/store/rollups/pass.ts';
import { insertSpans } from './generate-spans.ts';
import { measure, openInProcessStore, quit } from './in-process-store.ts';

const endS = 1_795_000_020;
const spans = 7_000 * 60;
const signal = AbortSignal.timeout(300_000);
const { client, run } = await openInProcessStore();
const print = (what: string, values: object) => console.log(JSON.stringify({ what, ...values }));

for (let seg = 0; seg < 6; seg++) {
  await run(insertSpans({ count: spans / 6, fromS: endS - 3600 + seg * 600, seconds: 600, seg: seg + 1 }));
}
let cpuSeconds = 0;
let minutes = 0;
for (let left = 1; left > 0; ) {
  const pass = await measure(() => runRollupPass(client, { nowMs: (endS + 15) * 1000, signal }));
  cpuSeconds += pass.cpuSeconds;
  minutes += pass.result.minutes;
  left = pass.result.remaining;
}
print('passes', { minutes, cpuSeconds, cpuMicrosecondsASpan: (cpuSeconds * 1e6) / spans });

for (let hours = 1; hours < 24; hours++) {
  const back = hours * 3600;
  const hour = (table: string) => `FROM (SELECT * FROM ${table} WHERE minute >= toDateTime(${endS - 3600}, 'UTC'))`;
  await run(
    `INSERT INTO rollup_edges SELECT * REPLACE (minute - ${back} AS minute, trace_minute - ${back} AS trace_minute) ${hour('rollup_edges')}`,
  );
  await run(
    `INSERT INTO rollup_minutes SELECT * REPLACE (minute - ${back} AS minute, 0 AS fingerprint) ${hour('rollup_minutes')}`,
  );
}
const seconds: number[] = [];
const cpu: number[] = [];
for (let i = 0; i < 15; i++) {
  const window = { startMs: (endS - 86_400 + 30) * 1000, endMs: (endS - 30) * 1000 + i, signal };
  const read = await measure(() => readDependencies(client, window));
  seconds.push(read.seconds);
  cpu.push(read.cpuSeconds);
}
const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
print('dependencies over a day', { p50Seconds: median(seconds), p50CpuSeconds: median(cpu) });
quit();
