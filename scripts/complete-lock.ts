/**
 * Completes package-lock.json: npm leaves out the optional packages of other platforms when a registry does not serve them, and
 * `npm ci` on such a platform then refuses the lock. Run after every change of dependencies; `--check` only looks.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

interface LockedPackage {
  readonly version?: string;
  readonly optional?: boolean;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

interface Lock {
  packages: Record<string, LockedPackage>;
}

const systems = ['linux', 'darwin', 'win32', 'freebsd', 'netbsd', 'openbsd', 'android', 'sunos', 'aix', 'openharmony'];
const processors = ['x64', 'arm64', 'arm', 'ia32', 'riscv64', 'ppc64', 's390x', 'loong64', 'mips64el'];

/** Reads a platform out of a package's name, e.g. `@chdb/lib-linux-arm64-gnu`; undefined when it names none. */
export function platformOf(name: string): Pick<LockedPackage, 'os' | 'cpu' | 'libc'> | undefined {
  const words = name.split(/[/@-]/);
  const os = systems.find((system) => words.includes(system));
  const cpu = processors.find((processor) => words.includes(processor));
  if (os === undefined || cpu === undefined) return undefined;
  const libc = words.includes('gnu') ? 'glibc' : words.includes('musl') ? 'musl' : undefined;
  return { os: [os], cpu: [cpu], ...(libc === undefined ? {} : { libc: [libc] }) };
}

/** The entries that a lock lacks: optional platform packages that some locked package names with an exact version. */
export function missingEntries(lock: Lock): ReadonlyMap<string, LockedPackage> {
  const missing = new Map<string, LockedPackage>();
  for (const { optionalDependencies } of Object.values(lock.packages)) {
    for (const [name, version] of Object.entries(optionalDependencies ?? {})) {
      const platform = platformOf(name);
      const path = `node_modules/${name}`;
      if (platform === undefined || path in lock.packages || !/^\d/.test(version)) continue;
      missing.set(path, { version, ...platform, optional: true });
    }
  }
  return missing;
}

/** The lock with its missing entries, in npm's order of paths. */
export function completeLock(lock: Lock): Lock {
  const packages = Object.entries({ ...lock.packages, ...Object.fromEntries(missingEntries(lock)) });
  packages.sort(([a], [b]) => (a === b ? 0 : a < b ? -1 : 1));
  return { ...lock, packages: Object.fromEntries(packages) };
}

function main(): number {
  const file = new URL('../package-lock.json', import.meta.url);
  const lock: Lock = JSON.parse(readFileSync(file, 'utf8'));
  const missing = [...missingEntries(lock).keys()];
  if (missing.length === 0) return 0;
  if (process.argv.includes('--check')) {
    console.error(`package-lock.json lacks ${missing.join(', ')}; run npx tsx scripts/complete-lock.ts`);
    return 1;
  }
  writeFileSync(file, `${JSON.stringify(completeLock(lock), null, 2)}\n`);
  console.log(`added ${missing.join(', ')}`);
  return 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = main();
