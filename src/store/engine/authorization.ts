/** The token of `trawl store --listen`, as ClickHouse's clients send it, and a limit on guesses. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

export interface Authorization {
  readonly matches: (token: string) => boolean;
  readonly failures: Map<string, { count: number; sinceMs: number }>;
  readonly nowMs: () => number;
}

const maxFailures = 10;
const windowMs = 60_000;
const maxAddresses = 10_000;

export function createAuthorization(token: string, nowMs: () => number = Date.now): Authorization {
  const expected = digest(token);
  return { matches: (sent) => timingSafeEqual(digest(sent), expected), failures: new Map(), nowMs };
}

/** Ten failures a minute and address; then not even the right token is looked at until the minute is over. */
export function isAuthorized(
  request: IncomingMessage,
  { matches, failures, nowMs }: Authorization,
): 'authorized' | 'refused' | 'limited' {
  const address = request.socket.remoteAddress ?? '';
  const now = nowMs();
  const failed = failures.get(address);
  if (failed !== undefined && now - failed.sinceMs >= windowMs) failures.delete(address);
  else if (failed !== undefined && failed.count >= maxFailures) return 'limited';
  const token = tokenOf(request);
  if (token !== undefined && matches(token)) return 'authorized';
  if (failures.size >= maxAddresses) failures.clear();
  const entry = failures.get(address);
  if (entry === undefined) failures.set(address, { count: 1, sinceMs: now });
  else entry.count += 1;
  return 'refused';
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function tokenOf(request: IncomingMessage): string | undefined {
  const key = request.headers['x-clickhouse-key'];
  if (typeof key === 'string') return key;
  const [scheme = '', value = ''] = (request.headers.authorization ?? '').split(' ');
  if (scheme.toLowerCase() === 'bearer') return value;
  if (scheme.toLowerCase() !== 'basic') return undefined;
  const pair = Buffer.from(value, 'base64').toString('utf8');
  return pair.slice(pair.indexOf(':') + 1);
}
