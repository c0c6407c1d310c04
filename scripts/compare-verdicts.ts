/**
 * Posts seeded mutants of Zipkin bodies to a Trawl agent and to a real Zipkin and compares whether they take them: `npx tsx
 * scripts/compare-verdicts.ts --jar zipkin-server-3.6.1-exec.jar --seconds 60 --seed 1 --out DIRECTORY`. Bodies on which they differ are written
 * to the directory; the last line is JSON, and the exit status 1 when there was any.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { ZipkinFormat } from '../src/codec/zipkin-format.ts';
import { createChoices, type DecoderUnderTest, makeMutants } from '../test/contract/decoder-kit.ts';
import { zipkinProto3, zipkinThrift, zipkinV1Json, zipkinV2Json } from '../test/contract/decoders.ts';
import { findReaderFault, type ReaderFault } from '../test/contract/zipkin-reader-faults.ts';
import { startAgent } from '../test/fixtures/agent.ts';
import { startZipkinServer } from '../test/fixtures/zipkin-server.ts';

const { values } = parseArgs({
  options: {
    jar: { type: 'string' },
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    out: { type: 'string' },
  },
});

interface Route {
  readonly path: string;
  readonly contentType: string;
  readonly decoder: DecoderUnderTest;
}

const routes: Readonly<Record<ZipkinFormat, Route>> = {
  JSON_V1: { path: '/api/v1/spans', contentType: 'application/json', decoder: zipkinV1Json },
  THRIFT: { path: '/api/v1/spans', contentType: 'application/x-thrift', decoder: zipkinThrift },
  JSON_V2: { path: '/api/v2/spans', contentType: 'application/json', decoder: zipkinV2Json },
  PROTO3: { path: '/api/v2/spans', contentType: 'application/x-protobuf', decoder: zipkinProto3 },
};
const formats: readonly ZipkinFormat[] = ['JSON_V1', 'THRIFT', 'JSON_V2', 'PROTO3'];

interface Verdict {
  readonly status: number;
  readonly text: string;
}

interface Difference {
  readonly format: ZipkinFormat;
  readonly seed: number;
  readonly trawl: Verdict;
  readonly zipkin: Verdict;
  readonly bodyBase64: string;
}

interface Tally {
  mutants: number;
  taken: number;
  refused: number;
  /** Where Zipkin's reader stops too early. */
  readonly known: Record<ReaderFault, number>;
  different: number;
  zipkinFailed: number;
  /** Bodies that Zipkin never answers are not judged. */
  zipkinSilent: number;
}

const connections = new Agent({ keepAlive: true });
const busyStatuses = new Set([429, 503]);
const postTimeoutMs = 10_000;

function postOnce(url: string, { path, contentType }: Route, body: Buffer): Promise<Verdict> {
  return new Promise((settle, fail) => {
    const headers = { 'content-type': contentType, 'content-length': body.length };
    const signal = AbortSignal.timeout(postTimeoutMs);
    const sent = request(url + path, { method: 'POST', agent: connections, headers, signal }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      answer.once('end', () => settle({ status: answer.statusCode ?? 0, text: text.slice(0, 300) }));
      answer.on('error', fail);
    });
    sent.on('error', fail);
    sent.end(body);
  });
}

/** Of who gave no answer however often it was asked. */
const silent: Verdict = { status: 0, text: 'no answer' };

/** Busy is no verdict, and a kept connection that the server closed meanwhile none either. */
async function post(url: string, route: Route, body: Buffer): Promise<Verdict> {
  let silences = 0;
  for (let attempt = 1; ; attempt++) {
    const verdict = await postOnce(url, route, body).catch(() => undefined);
    if (verdict === undefined && ++silences === 3) return silent;
    if (verdict !== undefined && (!busyStatuses.has(verdict.status) || attempt >= 20)) return verdict;
    await sleep(200);
  }
}

const isTaken = ({ status }: Verdict): boolean => status >= 200 && status < 300;
const startTally = (): Tally => ({
  mutants: 0,
  taken: 0,
  refused: 0,
  known: { 'unknown field': 0, 'empty span': 0 },
  different: 0,
  zipkinFailed: 0,
  zipkinSilent: 0,
});

const differenceLimit = 200;
/** Many wait at once, because one sync to disk serves all that wait for it. */
const lanesPerFormat = 8;

interface Servers {
  readonly trawl: string;
  readonly zipkin: string;
}

interface Outcome {
  readonly tallies: Readonly<Record<ZipkinFormat, Tally>>;
  readonly differences: Difference[];
}

async function compare(servers: Servers, seed: number, seconds: number): Promise<Outcome> {
  const outcome: Outcome = {
    tallies: { JSON_V1: startTally(), THRIFT: startTally(), JSON_V2: startTally(), PROTO3: startTally() },
    differences: [],
  };
  const endAt = performance.now() + seconds * 1000;
  const lane = async (format: ZipkinFormat, laneSeed: number) => {
    const choose = createChoices(laneSeed);
    const mutants = makeMutants(routes[format].decoder, { mutants: Number.POSITIVE_INFINITY, seed: laneSeed });
    for (const mutant of mutants) {
      if (performance.now() >= endAt) return;
      // Now and then the wrong Content-Type or path, whose checks come before the decoder.
      const asked = choose(20) === 0 ? (formats[choose(formats.length)] ?? format) : format;
      const [trawl, zipkin] = await Promise.all([
        post(servers.trawl, routes[asked], mutant),
        post(servers.zipkin, routes[asked], mutant),
      ]);
      record(outcome, { format: asked, seed: laneSeed, trawl, zipkin, body: mutant });
    }
  };
  const lanes = Array.from({ length: lanesPerFormat * formats.length }, (_, i) =>
    lane(formats[i % formats.length] ?? 'JSON_V2', seed + i),
  );
  await Promise.all(lanes);
  return outcome;
}

function record(
  { tallies, differences }: Outcome,
  { body, ...answers }: Omit<Difference, 'bodyBase64'> & { readonly body: Buffer },
): void {
  const { format, trawl, zipkin } = answers;
  const tally = tallies[format];
  tally.mutants++;
  if (isTaken(trawl)) tally.taken++;
  else tally.refused++;
  if (zipkin.status >= 500) tally.zipkinFailed++;
  const isBinary = format === 'THRIFT' || format === 'PROTO3';
  // A server error or no answer is never right, whatever the other says.
  const isAnswered = trawl.status > 0 && trawl.status < 500;
  if (zipkin.status === 0) tally.zipkinSilent++;
  if (isAnswered && (zipkin.status === 0 || isTaken(trawl) === isTaken(zipkin))) return;
  const fault = isAnswered && isBinary ? findReaderFault(format, body) : undefined;
  if (fault !== undefined) {
    tally.known[fault]++;
    return;
  }
  tally.different++;
  if (differences.length < differenceLimit) differences.push({ ...answers, bodyBase64: body.toString('base64') });
}

function write(directory: string, differences: readonly Difference[]): void {
  mkdirSync(directory, { recursive: true });
  for (const { bodyBase64, ...said } of differences) {
    const name = `${said.format}-${createHash('sha256').update(bodyBase64).digest('hex').slice(0, 16)}`;
    writeFileSync(join(directory, `${name}.bin`), Buffer.from(bodyBase64, 'base64'));
    writeFileSync(join(directory, `${name}.json`), `${JSON.stringify(said, null, 1)}\n`);
  }
}

async function main(): Promise<void> {
  const { jar, out } = values;
  if (jar === undefined) {
    throw new Error(
      '--jar must be the executable jar of zipkin-server (Maven: io.zipkin:zipkin-server, classifier exec)',
    );
  }
  const seed = Number(values.seed);
  const zipkin = await startZipkinServer(jar);
  const agent = await startAgent();
  try {
    await agent.ready();
    const { tallies, differences } = await compare(
      { trawl: agent.url, zipkin: zipkin.url },
      seed,
      Number(values.seconds),
    );
    if (out !== undefined) write(out, differences);
    const different = formats.reduce((total, format) => total + tallies[format].different, 0);
    console.log(JSON.stringify({ seed, different, formats: tallies, examples: differences.slice(0, 5) }));
    process.exitCode = different === 0 ? 0 : 1;
  } finally {
    connections.destroy();
    await agent.remove();
    await zipkin.stop();
  }
}

await main();
