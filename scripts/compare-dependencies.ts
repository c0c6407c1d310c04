/**
 * Posts seeded random traces to a real Zipkin and compares its `/api/v2/dependencies` with what Trawl's linker says of them: `npx tsx
 * scripts/compare-dependencies.ts --jar zipkin-server-3.6.1-exec.jar --traces 20000 --seed 1`. The last line is JSON, with a few traces on which
 * they differ; the exit status is 1 when there was any. With `--agent` the traces go through a whole agent, too, and its answer is compared.
 */
import { parseArgs } from 'node:util';
import { compareSpans, linkTrace } from '../src/store/rollups/linker.ts';
import { startAgent, type TestAgent } from '../test/fixtures/agent.ts';
import { createRandom } from '../test/fixtures/random.ts';
import { randomTrace, strangeTrace, type TestSpan } from '../test/fixtures/random-traces.ts';
import { startZipkinServer, type ZipkinServer } from '../test/fixtures/zipkin-server.ts';

const { values } = parseArgs({
  options: {
    jar: { type: 'string' },
    traces: { type: 'string', default: '20000' },
    agent: { type: 'boolean', default: false },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
  },
});

const tracesAtOnce = 500;
const startMs = 1_795_000_000_000;

const addressOf = (ipv4: string) => [24, 16, 8, 0].map((shift) => (Number(ipv4) >>> shift) & 255).join('.');

/** A span of trace `n` as Zipkin takes it: the services of each trace have names of their own, so that one answer tells of many traces. */
function zipkinSpan(span: TestSpan, n: number, timestampMs: number) {
  const named = (name: string) => (name === '' ? {} : { serviceName: `${name}-${n}` });
  return {
    traceId: span.traceId,
    id: span.id.toLowerCase(),
    ...(span.parentId === undefined ? {} : { parentId: span.parentId.toLowerCase() }),
    ...(span.kind === undefined || span.kind === 'INTERNAL' ? {} : { kind: span.kind }),
    timestamp: timestampMs * 1000,
    localEndpoint: {
      ...named(span.localName ?? span.localService),
      ...(span.localIpv4 === '' ? {} : { ipv4: addressOf(span.localIpv4) }),
      ...(span.localIpv6 === '' ? {} : { ipv6: span.localIpv6 }),
      ...(span.localPort === 0 ? {} : { port: span.localPort }),
    },
    remoteEndpoint: named(span.remoteService),
    ...((span.hasErrorTag ?? span.hasError) ? { tags: { error: '' } } : {}),
    ...(span.shared ? { shared: true } : {}),
  };
}

interface Link {
  readonly parent: string;
  readonly child: string;
  readonly callCount: number;
  readonly errorCount?: number;
}

const said = ({ parent, child, callCount, errorCount = 0 }: Link) =>
  `${parent} > ${child}: ${callCount}, ${errorCount} failed`;

function ourLinks(trace: readonly TestSpan[]): string[] {
  const links = new Map<string, { parent: string; child: string; callCount: number; errorCount: number }>();
  for (const { caller, callee, isTagged } of linkTrace(trace)) {
    const link = links.get(`${caller} ${callee}`) ?? { parent: caller, child: callee, callCount: 0, errorCount: 0 };
    links.set(`${caller} ${callee}`, link);
    link.callCount++;
    if (isTagged) link.errorCount++;
  }
  return [...links.values()].map(said).sort();
}

/** Zipkin's links by the number that their names end in. */
function linksByTrace(links: readonly Link[]): Map<number, string[]> {
  const byTrace = new Map<number, string[]>();
  const plain = (name: string) => name.replace(/-\d+$/, '');
  for (const link of links) {
    const n = Number(/\d+$/.exec(link.parent)?.[0]);
    const texts = byTrace.get(n) ?? [];
    byTrace.set(n, texts);
    texts.push(said({ ...link, parent: plain(link.parent), child: plain(link.child) }));
  }
  for (const texts of byTrace.values()) texts.sort();
  return byTrace;
}

interface Difference {
  readonly trawl: readonly string[];
  readonly zipkin: readonly string[];
  readonly agent?: readonly string[] | undefined;
  readonly trace: readonly TestSpan[];
}

interface Servers {
  readonly zipkin: ZipkinServer;
  readonly agent: TestAgent | undefined;
}

async function linksFrom(url: string, body: string, atMs: number): Promise<Map<number, string[]>> {
  const headers = { 'content-type': 'application/json' };
  const posted = await fetch(`${url}/api/v2/spans`, { method: 'POST', headers, body });
  if (posted.status !== 202) throw new Error(`${url} answered ${posted.status}: ${await posted.text()}`);
  // Zipkin has no such route, and needs none.
  await (await fetch(`${url}/api/trawl/flush`, { method: 'POST' })).text();
  const answer = await fetch(`${url}/api/v2/dependencies?endTs=${atMs}&lookback=10`);
  const links: Link[] = JSON.parse(await answer.text());
  return linksByTrace(links);
}

async function compareSome(
  { zipkin, agent }: Servers,
  traces: readonly (readonly TestSpan[])[],
  atMs: number,
): Promise<Difference[]> {
  const body = JSON.stringify(traces.flatMap((trace, n) => trace.map((span) => zipkinSpan(span, n, atMs))));
  const links = await linksFrom(zipkin.url, body, atMs);
  const agentLinks = agent === undefined ? undefined : await linksFrom(agent.url, body, atMs);
  return traces.flatMap((trace, n) => {
    const said = { trawl: ourLinks(trace), zipkin: links.get(n) ?? [], agent: agentLinks && (agentLinks.get(n) ?? []) };
    const isSame = said.trawl.join() === said.zipkin.join() && (said.agent ?? said.trawl).join() === said.zipkin.join();
    return isSame ? [] : [{ ...said, trace }];
  });
}

async function main(): Promise<void> {
  const { jar } = values;
  if (jar === undefined) {
    throw new Error(
      '--jar must be the executable jar of zipkin-server (Maven: io.zipkin:zipkin-server, classifier exec)',
    );
  }
  const seed = Number(values.seed);
  const count = Number(values.traces);
  const random = createRandom(seed);
  const zipkin = await startZipkinServer(jar, { environment: { MEM_MAX_SPANS: '20000' } });
  const agent = values.agent ? await startAgent({ sets: ['store.retention=forever'] }) : undefined;
  const differences: Difference[] = [];
  let spans = 0;
  let links = 0;
  try {
    await agent?.ready();
    for (let start = 0; start < count; start += tracesAtOnce) {
      const traces = Array.from({ length: Math.min(tracesAtOnce, count - start) }, () => {
        const make = random() < 0.25 ? randomTrace : strangeTrace;
        const trace = make(random, startMs * 1000, 1 + Math.floor(random() * 9));
        // In Trawl's own order, where Zipkin's depends on the order in which spans arrive.
        return trace.map((span) => (span.kind === 'CLIENT' ? { ...span, shared: false } : span)).sort(compareSpans);
      });
      for (const trace of traces) {
        spans += trace.length;
        links += linkTrace(trace).length;
      }
      differences.push(...(await compareSome({ zipkin, agent }, traces, startMs + start)));
    }
  } finally {
    await agent?.remove();
    await zipkin.stop();
  }
  const examples = differences.toSorted((a, b) => a.trace.length - b.trace.length).slice(0, 3);
  console.log(JSON.stringify({ seed, traces: count, spans, links, different: differences.length, examples }));
  process.exitCode = differences.length === 0 ? 0 : 1;
}

await main();
