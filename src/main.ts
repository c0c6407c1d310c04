#!/usr/bin/env node
import { setFlagsFromString } from 'node:v8';

// A regular expression that a stranger wrote must not hold the process: backtracking that gets out of hand falls back to linear time.
setFlagsFromString('--enable-experimental-regexp-engine-on-excessive-backtracks');
process.umask(0o077);
// A reader that went away, as `trawl … | head` does, is no reason to die.
process.stdout.on('error', () => undefined);
process.stderr.on('error', () => undefined);

const { runCli } = await import('./cli/cli.ts');
process.exitCode = await runCli(process.argv.slice(2), {
  out: (line) => process.stdout.write(`${line}\n`),
  error: (line) => process.stderr.write(`${line}\n`),
  environment: process.env,
  isTty: process.stdout.isTTY === true,
  columns: process.stdout.columns,
  rows: process.stdout.rows,
  input: () => process.stdin,
});
