import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { completeLock, missingEntries, platformOf } from './complete-lock.ts';

describe('package-lock.json', () => {
  it('carries the libraries of every platform, those too that a registry does not serve', () => {
    const lock = JSON.parse(readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8'));
    expect([...missingEntries(lock).keys()]).toEqual([]);
    for (const platform of ['linux-x64-gnu', 'linux-arm64-gnu', 'darwin-x64', 'darwin-arm64']) {
      expect(lock.packages[`node_modules/@chdb/lib-${platform}`], platform).toMatchObject({ optional: true });
    }
  });

  it('names no registry', () => {
    expect(readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8')).not.toMatch(/"resolved"/);
  });

  it('is completed with version, system, processor and C library, and no integrity', () => {
    const lock = {
      packages: { 'node_modules/a': { optionalDependencies: { '@a/lib-linux-arm64-gnu': '1.2.3', other: '1.0.0' } } },
    };
    expect(completeLock(lock).packages['node_modules/@a/lib-linux-arm64-gnu']).toEqual({
      version: '1.2.3',
      os: ['linux'],
      cpu: ['arm64'],
      libc: ['glibc'],
      optional: true,
    });
    expect(Object.keys(completeLock(lock).packages)).toHaveLength(2);
    expect(platformOf('left-pad')).toBeUndefined();
  });
});
