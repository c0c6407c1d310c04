/** What docs/operations/running.md says of a reload, against what an agent takes over. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isReloadable } from '../../src/cli/agent/reload.ts';
import { mainConfig } from '../../src/config/main-config.ts';
import { root } from './blocks.ts';

describe('the keys that a reload takes over', () => {
  it('are those that the operator is told', () => {
    const page = readFileSync(join(root, 'docs/operations/running.md'), 'utf8');
    const sentence = /Of `trawl\.conf` only ([^;]*) can change this way/.exec(page)?.[1] ?? '';
    const told = [...sentence.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name.replace(/^\[(.*)\]$/, '$1.'));
    expect(told).toContain('http.query');
    const keys = Object.entries(mainConfig.parse({})).flatMap(([section, values]) =>
      Object.keys(values).map((key) => `${section}.${key}`),
    );
    expect(keys).toContain('store.max_bytes');
    const isTold = (key: string): boolean =>
      told.some((name) => key === name || (name.endsWith('.') && key.startsWith(name)));
    expect(keys.filter(isReloadable)).toEqual(keys.filter(isTold));
    for (const key of [...told, 'discovery.directory']) expect(isReloadable(key), key).toBe(true);
  });
});
