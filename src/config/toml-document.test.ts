import { describe, expect, it } from 'vitest';
import { parseToml } from './toml-document.ts';

const faultOf = (value: string): string => {
  const parsed = parseToml('x.conf', `[http]\ntimeout = ${value}\nlisten = "x"\n`, {});
  return parsed.ok ? '' : `${parsed.problem.message}; ${parsed.problem.hint}`;
};

describe('a value that is no TOML', () => {
  it.each(['10s', '1.5GiB', '10 s', '50%', '10.0.0.1:80', '-5m', '["a", 10s]', '10s # ten'])(
    'is told to go in quotes where it begins as a number does: %s',
    (value) => {
      expect(faultOf(value)).toBe('not valid TOML: this is not a number; text goes in quotes, durations and sizes too');
    },
  );

  it('is told to go in quotes where it begins with a letter', () => {
    for (const value of ['debug', 'info', 'nano', 'truely', '[info]'])
      expect(faultOf(value)).toBe('not valid TOML: this is not a value; text goes in quotes');
  });

  it('is not found where a number or a time stands', () => {
    for (const value of ['10', '1_000.5', '2026-11-21T14:00:00Z', '[1, 2]', '{ a = 5 }'])
      expect(faultOf(value)).toBe('');
  });
});
