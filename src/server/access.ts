/**
 * Who may use which group of routes (DESIGN section 8). On loopback everything is open, so everything hangs on what loopback means.
 *
 * The peer's address proves nothing: a sidecar hands its pod every request of the mesh from 127.0.0.6, a browser on this machine
 * sends what any web page asks it to. Loopback therefore needs all of these:
 *  1. the listener is bound to a loopback address, and the peer has one that is not the sidecar's (127.0.0.6 or ::6);
 *  2. Host is a name of loopback: a page of evil.example that points its own name at 127.0.0.1 still sends `Host: evil.example`;
 *  3. there is no foreign Origin, and Sec-Fetch-Site does not call the page foreign (an <img> has no Origin);
 *  4. no header says that a proxy relayed it: X-Forwarded-*, Forwarded, Via, X-Real-IP, X-Envoy-*. Envoy always adds
 *     X-Forwarded-Proto, so that this also finds a sidecar that connects from 127.0.0.1, as those before Istio 1.10 do. One exception:
 *     a Grafana on this machine relays with `X-Forwarded-For: 127.0.0.1` alone; it may query, but not administer.
 * What cannot be told apart: a proxy on this machine that adds no header and rewrites Host (nginx unless told otherwise).
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Lockout } from './lockout.ts';

export type RouteGroup = 'ingest' | 'query' | 'admin' | 'open';

/** Who may query from elsewhere than loopback. */
export type QueryAccess = 'open' | 'token' | 'loopback';

export interface AccessOptions {
  readonly query: QueryAccess;
  /** The bearer tokens for `query: 'token'`; without any, nobody but loopback may query. */
  readonly queryTokens: readonly string[];
}

/** Where a request came to. */
export interface Arrival {
  readonly req: Pick<IncomingMessage, 'headers' | 'method' | 'socket'>;
  readonly isLoopbackListener: boolean;
}

export type Verdict =
  | { readonly isAllowed: true }
  | {
      readonly isAllowed: false;
      readonly status: 401 | 403 | 429;
      readonly message: string;
      readonly retryAfterMs?: number;
    };

export interface Access {
  check(group: RouteGroup, arrival: Arrival): Verdict;
  /** For ingest routes, which are open to programs but not to the pages of others. */
  checkIngest(arrival: Arrival, allowsAnyOrigin: boolean): Verdict;
}

const allowed: Verdict = { isAllowed: true };

/** Makes the policy. Wrong tokens are counted by `lockout`. */
export function createAccess(options: AccessOptions, lockout: Lockout): Access {
  const digests = options.queryTokens.map(digestOf);

  const checkToken = ({ req }: Arrival): Verdict => {
    if (digests.length === 0) return forbidden(noTokenConfigured);
    const presented = bearerToken(req.headers.authorization);
    if (presented === undefined) return { isAllowed: false, status: 401, message: needsToken };
    const peer = req.socket.remoteAddress ?? '';
    // Before comparing, or else the lock would tell a guesser which guess was right.
    const retryAfterMs = lockout.remainingMs(peer);
    if (retryAfterMs > 0) {
      return {
        isAllowed: false,
        status: 429,
        message: 'too many wrong tokens from this address; wait a minute',
        retryAfterMs,
      };
    }
    if (isOneOf(digests, digestOf(presented))) return allowed;
    lockout.fail(peer);
    return { isAllowed: false, status: 401, message: wrongToken };
  };

  return {
    check(group, arrival) {
      if (group === 'open') return allowed;
      if (group === 'ingest') return this.checkIngest(arrival, false);
      const nearness = nearnessOf(arrival);
      if (nearness === 'direct') return allowed;
      if (group === 'admin') return forbidden(adminIsLocal);
      if (nearness === 'relayed' || options.query === 'open') return allowed;
      return options.query === 'token' ? checkToken(arrival) : forbidden(queryIsLocal);
    },
    checkIngest(arrival, allowsAnyOrigin) {
      if (arrival.req.headers.origin === undefined || allowsAnyOrigin) return allowed;
      return isForeignPage(arrival) ? forbidden(foreignPage) : allowed;
    },
  };
}

const needsToken = 'queries from other machines need the token: send "Authorization: Bearer TOKEN"';
const wrongToken = 'that is none of the tokens that [http] query_tokens names';
const noTokenConfigured =
  'queries from other machines, or through a proxy, are refused while there is no token: set one with [http] query_tokens, or query = "open" to let everyone read';
const queryIsLocal =
  'queries are answered on loopback only ([http] query = "loopback"); ask from this machine as localhost, or configure a token';
const adminIsLocal =
  'this is for administrators on the same machine: ask a loopback listener as localhost or 127.0.0.1, without a proxy or a web page of another origin; to reload, SIGHUP does as well';
const foreignPage = 'a web page of another origin may not send to this route';

function forbidden(message: string): Verdict {
  return { isAllowed: false, status: 403, message };
}

/** `direct`: a program on this machine. `relayed`: a proxy on this machine for a client on this machine. */
export function nearnessOf(arrival: Arrival): 'direct' | 'relayed' | 'stranger' {
  const { headers, socket } = arrival.req;
  const peer = socket.remoteAddress;
  if (!arrival.isLoopbackListener || !isLoopbackAddress(peer) || isSidecarAddress(peer)) return 'stranger';
  if (!isLoopbackHost(headers.host) || isForeignPage(arrival)) return 'stranger';
  return relayOf(headers);
}

function relayOf(headers: IncomingHttpHeaders): 'direct' | 'relayed' | 'stranger' {
  let isRelayed = false;
  for (const name in headers) {
    if (name === 'x-forwarded-for') isRelayed = true;
    else if (name.startsWith('x-forwarded-') || name.startsWith('x-envoy-')) return 'stranger';
    else if (name === 'forwarded' || name === 'via' || name === 'x-real-ip') return 'stranger';
  }
  if (!isRelayed) return 'direct';
  const chain = String(headers['x-forwarded-for']).split(',');
  return chain.every((address) => isLoopbackAddress(address.trim()) && !isSidecarAddress(address.trim()))
    ? 'relayed'
    : 'stranger';
}

/** Whether a browser sent it for a page that is not the agent's own. Programs send neither header. */
function isForeignPage({ req, isLoopbackListener }: Arrival): boolean {
  const { origin, host } = req.headers;
  if (origin !== undefined) {
    const isOwn = host !== undefined && (origin === `http://${host}` || origin === `https://${host}`);
    // A page of a name that was pointed at 127.0.0.1 has the same Origin as Host.
    return !isOwn || (isLoopbackListener && !isLoopbackHost(host));
  }
  const site = req.headers['sec-fetch-site'];
  if (site === undefined || site === 'same-origin' || site === 'none') return false;
  // A person who follows a link to the agent; the page that held the link sees nothing of it.
  return !(req.method === 'GET' && req.headers['sec-fetch-mode'] === 'navigate');
}

/** Whether a Host header is a name of loopback, with or without a port. Never parsed as a URL: Envoy's Host is no URL's. */
export function isLoopbackHost(host: string | undefined): boolean {
  if (host === undefined) return false;
  const name = host.toLowerCase().replace(/:\d{1,5}$/, '');
  if (name === 'localhost' || name === 'localhost.' || name === '[::1]') return true;
  return /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(name);
}

/** Whether an IP address is loopback, IPv4 in IPv6 included. */
export function isLoopbackAddress(address: string | undefined): boolean {
  if (address === undefined) return false;
  const plain = address.startsWith('::ffff:') ? address.slice(7) : address;
  return plain === '::1' || plain === '::6' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(plain);
}

/** From which Istio's sidecar connects to its own pod for others. */
function isSidecarAddress(address: string | undefined): boolean {
  return address === '127.0.0.6' || address === '::ffff:127.0.0.6' || address === '::6';
}

function bearerToken(header: string | undefined): string | undefined {
  return /^bearer +(\S+) *$/i.exec(header ?? '')?.[1];
}

function isOneOf(digests: readonly Buffer[], presented: Buffer): boolean {
  let isKnown = false;
  for (const digest of digests) isKnown = timingSafeEqual(digest, presented) || isKnown;
  return isKnown;
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
