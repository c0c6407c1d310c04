/**
 * Feeds seeded mutants to every decoder: `npx tsx scripts/fuzz-decoders.ts --mutants 100000 --seed 1 --out DIRECTORY`. What broke the rules
 * is written to the directory, one file a message and one with the reason; the last line is JSON, and the exit status 1 when there was any.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Finding, runMutants } from '../test/contract/decoder-kit.ts';
import { decoders } from '../test/contract/decoders.ts';

const usage = 'usage: fuzz-decoders [--mutants N] [--seed S] [--out DIRECTORY] [--decoder NAME]';
/** A decoder that fails often fails alike: so many examples are enough. */
const writtenLimit = 100;

function toCount(text: string, name: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0)
    throw new Error(`--${name} ${text}: expected a whole number; ${usage}`);
  return value;
}

function main(): void {
  const { values } = parseArgs({
    options: {
      mutants: { type: 'string', default: '100000' },
      seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
      out: { type: 'string' },
      decoder: { type: 'string' },
    },
  });
  const mutants = toCount(values.mutants, 'mutants');
  const seed = toCount(values.seed, 'seed');
  const chosen = decoders.filter(({ name }) => values.decoder === undefined || values.decoder === name);
  if (chosen.length === 0)
    throw new Error(`--decoder ${values.decoder}: expected ${decoders.map(({ name }) => name).join(', ')}`);
  const reports = chosen.map((decoder) => {
    let written = 0;
    const onFinding = (finding: Finding) => {
      if (values.out === undefined || ++written > writtenLimit) return;
      const directory = join(values.out, decoder.name);
      mkdirSync(directory, { recursive: true });
      const name = `${finding.kind}-${createHash('sha256').update(finding.message).digest('hex').slice(0, 16)}`;
      writeFileSync(join(directory, `${name}.bin`), finding.message);
      writeFileSync(join(directory, `${name}.txt`), `seed ${seed}\n${finding.detail}\n`);
    };
    return runMutants(decoder, { mutants, seed, onFinding });
  });
  const findings = reports.reduce((sum, report) => sum + report.findings, 0);
  console.log(JSON.stringify({ seed, mutants, findings, decoders: reports }));
  process.exitCode = findings === 0 ? 0 : 1;
}

main();
