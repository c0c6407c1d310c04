/** A million series: a regular expression over a label, label values, a metric's series by id. `npx tsx bench/experiments/million-series.ts` */
import { measure, openInProcessStore, quit } from './in-process-store.ts';

const { run } = await openInProcessStore();
const insert = await measure(() =>
  run(`INSERT INTO series (metric, id, labels, last_day, seg)
  SELECT 'metric_' || toString(number % 200), cityHash64(number), map('__name__', 'metric_' || toString(number % 200), 'destination_service', 'svc' || toString(number % 997),
    'instance', '10.0.' || toString(number % 250) || '.' || toString(intDiv(number, 250) % 250), 'job', 'job' || toString(number % 20), 'le', toString(number % 13),
    'pod', 'pod-' || toString(number % 10007), 'response_code', toString(200 + number % 5), 'zone', 'z' || toString(number % 3)), '2026-11-21', 1 FROM numbers(1000000)`),
);
await run('OPTIMIZE TABLE series FINAL');
const size = JSON.parse(
  await run(`SELECT sum(bytes_on_disk) AS bytes FROM system.parts WHERE active AND table = 'series'`),
);
console.log(JSON.stringify({ what: 'insert', cpuSeconds: insert.cpuSeconds, bytesEach: Number(size.bytes) / 1e6 }));
const queries = {
  'regex over one metric': `SELECT id, labels FROM series WHERE metric = 'metric_7' AND match(labels['pod'], '^(?:pod-1.*)$')`,
  'regex over all, few match': `SELECT id, labels FROM series WHERE match(labels['pod'], '^(?:pod-77.)$')`,
  'equality over all': `SELECT id, labels FROM series WHERE labels['pod'] = 'pod-77'`,
  'label values of all': `SELECT DISTINCT labels['pod'] FROM series`,
  'label values of one metric': `SELECT DISTINCT labels['pod'] FROM series WHERE metric = 'metric_7'`,
  'label names of all': 'SELECT DISTINCT arrayJoin(mapKeys(labels)) FROM series',
  'metric names': 'SELECT DISTINCT metric FROM series',
  'whole series of all with FINAL': 'SELECT count() FROM series FINAL',
};
for (const [what, sql] of Object.entries(queries)) {
  await run(sql);
  const took = await measure(() => run(sql));
  console.log(
    JSON.stringify({
      what,
      rows: took.result.split('\n').length - 1,
      ms: Math.round(took.seconds * 1000),
      cpuMs: Math.round(took.cpuSeconds * 1000),
    }),
  );
}
quit();
