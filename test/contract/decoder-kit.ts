/**
 * What every decoder must stand: thousands of broken messages, made of valid ones by a seeded random source, cause nothing but the codec's
 * own error, each within a bounded time, and leave the memory as it was.
 */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { CodecError } from '../../src/codec/codec-error.ts';
import { createRandom } from '../fixtures/random.ts';

export interface DecoderUnderTest {
  /** Also the name of the folder for what was found. */
  readonly name: string;
  readonly validMessages: readonly Buffer[];
  /** Bits of the format worth inserting anywhere: delimiters, escapes, extreme numbers. */
  readonly tokens: readonly string[];
  decode(message: Buffer): unknown;
}

export interface MutantOptions {
  readonly mutants: number;
  readonly seed: number;
  /** The longest that one mutant may take; 50 ms unless told. */
  readonly limitMs?: number;
  /** Called with each mutant that broke the rules. */
  readonly onFinding?: (finding: Finding) => void;
}

export interface Finding {
  readonly kind: 'wrong_error' | 'slow' | 'memory';
  readonly detail: string;
  readonly message: Buffer;
}

export interface MutantReport {
  readonly decoder: string;
  readonly seed: number;
  readonly mutants: number;
  readonly accepted: number;
  readonly refused: number;
  readonly slowestMs: number;
  readonly heapGrowthMb: number;
  readonly findings: number;
}

/** A seeded generator of whole numbers below a limit. */
export function createChoices(seed: number): (below: number) => number {
  const random = createRandom(seed);
  return (below) => Math.floor(random() * below);
}

type Random = ReturnType<typeof createChoices>;
type Mutation = (message: Buffer, random: Random, decoder: DecoderUnderTest) => Buffer;

const mutantLengthLimit = 256 * 1024;
const heapGrowthLimitMb = 16;

function flipBits(message: Buffer, random: Random): Buffer {
  const mutant = Buffer.from(message);
  for (let flips = 1 + random(4); flips > 0 && mutant.length > 0; flips--) {
    const at = random(mutant.length);
    mutant[at] = (mutant[at] ?? 0) ^ (1 << random(8));
  }
  return mutant;
}

function overwriteByte(message: Buffer, random: Random): Buffer {
  const mutant = Buffer.from(message);
  if (mutant.length > 0) mutant[random(mutant.length)] = random(256);
  return mutant;
}

function truncate(message: Buffer, random: Random): Buffer {
  return message.subarray(0, random(message.length + 1));
}

function dropSpan(message: Buffer, random: Random): Buffer {
  const from = random(message.length + 1);
  return Buffer.concat([message.subarray(0, from), message.subarray(from + 1 + random(16))]);
}

function duplicate(message: Buffer, random: Random): Buffer {
  const from = random(message.length + 1);
  const part = message.subarray(from, from + 1 + random(64));
  const copies = new Array<Buffer>(1 + random(3)).fill(part);
  return Buffer.concat([message.subarray(0, from), ...copies, message.subarray(from)]);
}

function splice(message: Buffer, random: Random, decoder: DecoderUnderTest): Buffer {
  const other = decoder.validMessages[random(decoder.validMessages.length)] ?? message;
  return Buffer.concat([message.subarray(0, random(message.length + 1)), other.subarray(random(other.length + 1))]);
}

function insertToken(message: Buffer, random: Random, decoder: DecoderUnderTest): Buffer {
  const token = Buffer.from(decoder.tokens[random(decoder.tokens.length)] ?? '\0', 'latin1');
  const at = random(message.length + 1);
  const repeated = random(50) === 0 ? Buffer.concat(new Array<Buffer>(1 + random(2000)).fill(token)) : token;
  return Buffer.concat([message.subarray(0, at), repeated, message.subarray(at + random(2) * token.length)]);
}

/** Replaces a run of digits, so that numbers and lengths lie; where there is none, a byte becomes an extreme one, as a binary length would. */
function lie(message: Buffer, random: Random): Buffer {
  const start = random(message.length + 1);
  const match = /[0-9]+/.exec(message.subarray(start, start + 200).toString('latin1'));
  const lies = ['0', '-1', '99999999999999999999', '1e400', '4294967296', '0.5', '1e1000000', '9007199254740993'];
  if (match === null) {
    const mutant = Buffer.from(message);
    if (mutant.length > 0) mutant[random(mutant.length)] = random(2) === 0 ? 0xff : 0x7f;
    return mutant;
  }
  const at = start + match.index;
  const text = Buffer.from(lies[random(lies.length)] ?? '0');
  return Buffer.concat([message.subarray(0, at), text, message.subarray(at + match[0].length)]);
}

const mutations: readonly Mutation[] = [
  flipBits,
  overwriteByte,
  truncate,
  dropSpan,
  duplicate,
  splice,
  insertToken,
  insertToken,
  lie,
];

/** The mutants of a seed, one at a time; most carry one change, some up to four. */
export function* makeMutants(decoder: DecoderUnderTest, options: { mutants: number; seed: number }): Generator<Buffer> {
  const random = createChoices(options.seed);
  for (let i = 0; i < options.mutants; i++) {
    let mutant = decoder.validMessages[random(decoder.validMessages.length)] ?? Buffer.alloc(0);
    for (let changes = random(3) === 0 ? 1 + random(4) : 1; changes > 0; changes--) {
      const mutate = mutations[random(mutations.length)] ?? flipBits;
      mutant = mutate(mutant, random, decoder).subarray(0, mutantLengthLimit);
    }
    yield mutant;
  }
}

/** Feeds the mutants of a seed to the decoder and reports; it never throws for what the decoder does. */
export function runMutants(decoder: DecoderUnderTest, options: MutantOptions): MutantReport {
  const limitMs = options.limitMs ?? 50;
  let accepted = 0;
  let refused = 0;
  let slowestMs = 0;
  let findings = 0;
  const found = (finding: Finding) => {
    findings++;
    options.onFinding?.(finding);
  };
  const heapBefore = heapAfterCollection();
  let last: Buffer = Buffer.alloc(0);
  for (const message of makeMutants(decoder, options)) {
    last = message;
    // A pause of the collector or of the machine is not the decoder's: only what is slow twice is slow.
    let attempt = measure(decoder, message);
    if (attempt.tookMs > limitMs) attempt = measure(decoder, message);
    slowestMs = Math.max(slowestMs, attempt.tookMs);
    if (attempt.tookMs > limitMs) found({ kind: 'slow', detail: `${attempt.tookMs.toFixed(1)} ms`, message });
    if (attempt.error === undefined) accepted++;
    else if (attempt.error instanceof CodecError) refused++;
    else found({ kind: 'wrong_error', detail: describe(attempt.error), message });
  }
  const heapGrowthMb = (heapAfterCollection() - heapBefore) / 2 ** 20;
  if (heapGrowthMb > heapGrowthLimitMb) {
    found({ kind: 'memory', detail: `${heapGrowthMb.toFixed(1)} MB more on the heap`, message: last });
  }
  const { mutants, seed } = options;
  return { decoder: decoder.name, seed, mutants, accepted, refused, slowestMs, heapGrowthMb, findings };
}

/** What is on the heap once the garbage is gone. */
function heapAfterCollection(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  return process.memoryUsage().heapUsed;
}

function measure(decoder: DecoderUnderTest, message: Buffer): { tookMs: number; error: unknown } {
  const start = performance.now();
  let error: unknown;
  try {
    decoder.decode(message);
  } catch (thrown) {
    error = thrown ?? new Error('something empty was thrown');
  }
  return { tookMs: performance.now() - start, error };
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** Throws with the seed and the first mutant that broke the rules, for use in a test. Slowness is reported, not judged: timings gate no test. */
export function assertStandsMutants(
  decoder: DecoderUnderTest,
  options: { mutants: number; seed: number },
): MutantReport {
  const findings: Finding[] = [];
  const report = runMutants(decoder, { ...options, limitMs: 1000, onFinding: (finding) => findings.push(finding) });
  const [first] = findings;
  if (first !== undefined) {
    throw new Error(
      `${decoder.name}, seed ${options.seed}: ${findings.length} of ${options.mutants} mutants broke the rules; first: ${first.kind} ` +
        `${first.detail}\nmessage (base64): ${first.message.subarray(0, 4096).toString('base64')}`,
    );
  }
  return report;
}
