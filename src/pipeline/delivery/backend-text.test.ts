import { describe, expect, it } from 'vitest';
import { createSecret } from '../../config/secret.ts';
import { backendText, secretsOfUrl } from './backend-text.ts';

const secrets = [createSecret('Bearer abcdefghij')];
const textOf = (text: string, isCut = false) => backendText(Buffer.from(text), { isCut, secrets });

describe("a backend's answer", () => {
  it('is one short line without control characters', () => {
    expect(textOf(' bad\r\n\tspan \u001b[31m ')).toBe('bad span [31m');
    expect(textOf('x'.repeat(1000))).toBe(`${'x'.repeat(300)}…`);
  });

  it('shows neither a secret nor, where it was cut, the half of one', () => {
    expect(textOf('no such token: abcdefghij')).toBe('no such token: [REDACTED]');
    for (let length = 1; length < 10; length++) {
      const half = 'abcdefghij'.slice(0, length);
      expect(textOf(`no such token: ${half}`, true)).toBe('no such token:');
      expect(textOf(`you sent Bearer ${half}`, true)).toBe('you sent');
    }
  });

  it('keeps the end of an answer that came whole', () => {
    expect(textOf('unknown tenant abc')).toBe('unknown tenant abc');
  });

  it("shows no token of the address's query, as it stands there or decoded", () => {
    const hidden = secretsOfUrl('http://backend/spans?token=a%2Fb-secret&debug=true');
    const shown = backendText(
      Buffer.from('POST /spans?token=a%2Fb-secret&debug=true: a/b-secret is unknown, debug=true'),
      {
        isCut: false,
        secrets: hidden,
      },
    );
    expect(shown).not.toContain('b-secret');
    expect(shown).toContain('debug=true');
    expect(secretsOfUrl('http://backend/spans')).toEqual([]);
  });
});
