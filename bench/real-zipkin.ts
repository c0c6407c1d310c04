/**
 * Hands spans on to a real Zipkin server, which is started anew, killed in the middle and started again, and counts what arrived:
 * `ZIPKIN_JAR=zipkin-server-3.6.1-exec.jar npx tsx bench/real-zipkin.ts [--spans 5000]`. Prints one JSON object.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createSpanOracle } from '../test/fault/oracle.ts';
import { startAgent } from '../test/fixtures/agent.ts';
import { freePort } from '../test/fixtures/free-port.ts';
import { startZipkinServer } from '../test/fixtures/zipkin-server.ts';

const { values } = parseArgs({ options: { spans: { type: 'string', default: '5000' } } });
const jar = process.env['ZIPKIN_JAR'];
if (jar === undefined)
  throw new Error(
    'set ZIPKIN_JAR to the executable jar of zipkin-server (Maven: io.zipkin:zipkin-server, classifier exec)',
  );

const port = await freePort();
const zipkin = `http://127.0.0.1:${port}`;
const startZipkin = () => startZipkinServer(jar, { port, environment: { MEM_MAX_SPANS: '1000000' } });

async function spansAt(
  base: string,
  traceIds: readonly string[],
): Promise<{ found: number; differing: number; spans: number }> {
  let found = 0;
  let differing = 0;
  let spans = 0;
  for (const id of traceIds) {
    const [ours, theirs] = await Promise.all([
      fetch(`${agent.url}/api/v2/trace/${id}`),
      fetch(`${base}/api/v2/trace/${id}`),
    ]);
    if (theirs.status !== 200) continue;
    found++;
    const sorted = async (answer: Response): Promise<string[]> => {
      const list: { id: string }[] = JSON.parse(await answer.text());
      return [
        ...new Set(list.map((span) => JSON.stringify(Object.entries(span).sort(([a], [b]) => (a < b ? -1 : 1))))),
      ].sort();
    };
    const [mine, his] = [await sorted(ours), await sorted(theirs)];
    spans += his.length;
    if (JSON.stringify(mine) !== JSON.stringify(his)) differing++;
  }
  return { found, differing, spans };
}

let server = await startZipkin();
const agent = await startAgent({
  files: { 'in.conf': '[[inputs.zipkin]]\n', 'out.conf': `[[outputs.zipkin]]\n  url = "${zipkin}/api/v2/spans"\n` },
});
await agent.ready();
const oracle = createSpanOracle(Date.now() * 1000);
const total = Number(values.spans);
const send = async (until: number) => {
  while (oracle.issued < until) {
    const { body, numbers } = oracle.issue(20);
    const { status } = await agent.post('/api/v2/spans', body);
    if (status === 202) oracle.acknowledge(numbers);
  }
};
await send(total / 2);
// Zipkin's memory dies with it: what it had until here is checked now, what comes while it is down and afterwards in the end.
await sleep(3000);
const ids = (from: number, to: number) =>
  Array.from({ length: (to - from) / 4 }, (_, i) =>
    (from / 4 + i + 1).toString(16).padStart(16, '0').padStart(32, 'a'),
  );
const beforeKill = await spansAt(zipkin, ids(0, total / 2));
await server.stop();
await send(total);
const downSince = performance.now();
await sleep(5000);
server = await startZipkin();
const upAgain = performance.now();
let afterKill = await spansAt(zipkin, ids(total / 2, total));
while (afterKill.spans < total / 2 && performance.now() - upAgain < 60_000) {
  await sleep(500);
  afterKill = await spansAt(zipkin, ids(total / 2, total));
}
console.log(
  JSON.stringify({
    acknowledged: oracle.acknowledged,
    arrivedBeforeKill: beforeKill,
    arrivedAfterKill: afterKill,
    downSeconds: Math.round((upAgain - downSince) / 1000),
    caughtUpAfterSeconds: Math.round((performance.now() - upAgain) / 1000),
  }),
);
await server.stop();
await agent.remove();
process.exit(0);
