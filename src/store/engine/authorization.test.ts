import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from 'vitest';
import { createAuthorization, isAuthorized } from './authorization.ts';

function requestWith(headers: Record<string, string>, remoteAddress = '10.0.0.1'): IncomingMessage {
  // Only these two parts of a request are looked at.
  return { headers, socket: { remoteAddress } } as unknown as IncomingMessage;
}

const basic = (password: string) => `Basic ${Buffer.from(`default:${password}`).toString('base64')}`;

describe('the token of a store that listens', () => {
  it('is taken the three ways in which ClickHouse clients send it', () => {
    const authorization = createAuthorization('s3cret:x');
    const sent = [
      { 'x-clickhouse-key': 's3cret:x' },
      { authorization: basic('s3cret:x') },
      { authorization: 'Bearer s3cret:x' },
    ];
    for (const headers of sent) expect(isAuthorized(requestWith(headers), authorization)).toBe('authorized');
    for (const headers of [
      {},
      { authorization: basic('') },
      { 'x-clickhouse-key': 's3cret:' },
      { authorization: 'Basic' },
    ]) {
      expect(isAuthorized(requestWith(headers), authorization)).toBe('refused');
    }
  });

  it('cannot be guessed more than ten times a minute from one address', () => {
    let nowMs = 0;
    const authorization = createAuthorization('right', () => nowMs);
    const guess = (token: string, address?: string) =>
      isAuthorized(requestWith({ 'x-clickhouse-key': token }, address), authorization);
    for (let i = 0; i < 10; i++) expect(guess(`wrong ${i}`)).toBe('refused');
    expect(guess('right')).toBe('limited');
    expect(guess('right', '10.0.0.2')).toBe('authorized');
    nowMs = 60_000;
    expect(guess('right')).toBe('authorized');
  });
});
