/** What processes take of the machine, from /proc. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK']).toString());

/** User and system time so far, in microseconds. */
export function cpuUs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) / ticksPerSecond) * 1e6;
}

/** Proportional, anonymous and resident memory in MiB. */
export function memoryMiB(pid: number): { pss: number; anonymous: number; rss: number } {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const of = (name: string) =>
    Math.round(Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) / 1024);
  return { pss: of('Pss'), anonymous: of('Anonymous'), rss: of('Rss') };
}

/** A quantile of unsorted values. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return Number((sorted[Math.floor(q * (sorted.length - 1))] ?? Number.NaN).toFixed(2));
}

/** The machine that the figures are of. */
export function machine(): { cpu: string; cores: number; node: string } {
  const info = readFileSync('/proc/cpuinfo', 'utf8');
  return {
    cpu: /model name\s*:\s*(.*)/.exec(info)?.[1] ?? 'unknown',
    cores: (info.match(/^processor/gm) ?? []).length,
    node: process.versions.node,
  };
}
