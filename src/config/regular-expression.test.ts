import { describe, expect, it } from 'vitest';
import { translatePattern } from './regular-expression.ts';

describe("a pattern in Go's syntax", () => {
  it.each([
    ['istio_requests_total', 'istio_requests_total'],
    ['^istio\\_(tcp|http)\\-x', '^istio_(tcp|http)-x'],
    ['^\\d{3}\\.[\\w.-]+$', '^\\d{3}\\.[\\w.-]+$'],
    ['\\Aab\\z', '^ab$'],
    ['(?P<name>x)', '(?<name>x)'],
    ['[[:alpha:]_]+', '[A-Za-z_]+'],
    ['[^[:digit:]]', '[^0-9]'],
    ['[]a]', '[\\]a]'],
    ['[a\\-z]', '[a\\-z]'],
    ['[[a]', '[\\[a]'],
  ])('%s becomes %s', (pattern, source) => {
    expect(translatePattern(pattern)).toEqual({ ok: true, source });
  });

  it.each(['(?i)abc', '(?i:abc)', '(', 'a**', '[z-a]', '\\', '\\Qa', 'a{2,1}'])(
    'is refused where it has no counterpart: %s',
    (pattern) => {
      expect(translatePattern(pattern).ok).toBe(false);
    },
  );
});
