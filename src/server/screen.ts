/** What Node's parser lets pass and an honest client never sends: two readers could take such a request for different ones. */
import type { IncomingMessage } from 'node:http';

/**
 * Why the request is refused with 400, or undefined. An absolute URL that agrees with Host becomes a path (RFC 9112 section 3.2.2), and slashes that
 * follow each other in a path one.
 */
export function screenRequest(req: IncomingMessage): string | undefined {
  if (req.httpVersionMajor !== 1) return 'only HTTP/1.1 and HTTP/1.0 are spoken here';
  const hosts = countHosts(req.rawHeaders);
  if (hosts > 1) return 'the request has more than one Host header';
  if (hosts === 0 && req.httpVersionMinor > 0) return 'the request has no Host header, which HTTP/1.1 demands';
  const transferEncoding = req.headers['transfer-encoding'];
  if (transferEncoding !== undefined && transferEncoding.toLowerCase() !== 'chunked') {
    return 'the only Transfer-Encoding understood here is chunked';
  }
  if (transferEncoding !== undefined && req.httpVersionMinor === 0) return 'HTTP/1.0 has no Transfer-Encoding';
  return makePath(req);
}

function countHosts(rawHeaders: readonly string[]): number {
  let count = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i];
    if (name?.length === 4 && name.toLowerCase() === 'host') count += 1;
  }
  return count;
}

function makePath(req: IncomingMessage): string | undefined {
  const url = req.url ?? '';
  if (url.startsWith('/')) {
    // A base URL that ends in `/` with a path behind it: Zipkin's server takes that, and its senders are configured so.
    const path = pathOf(url);
    if (path.includes('//')) req.url = path.replaceAll(/\/{2,}/g, '/') + url.slice(path.length);
    return undefined;
  }
  const absolute = /^https?:\/\/([^/?#]*)(.*)$/i.exec(url);
  if (absolute === null) return url === '*' ? undefined : 'the request target is neither a path nor an http URL';
  const [, authority = '', rest = ''] = absolute;
  if (authority.toLowerCase() !== req.headers.host?.toLowerCase())
    return 'the request target and Host name different hosts';
  req.url = rest.startsWith('/') ? rest : `/${rest}`;
  return undefined;
}

/** Whether a path holds `..` or a NUL, plain or percent-encoded. No route has a use for them; a file name made of one would. */
export function isTraversal(path: string): boolean {
  if (!path.includes('..') && !path.includes('%')) return false;
  const plain = path.replaceAll(/%2e/gi, '.').replaceAll(/%2f|%5c|\\/gi, '/');
  return plain.includes('%00') || plain.split('/').includes('..');
}

/** The URL up to its `?`. Host plays no part: Envoy's is `outbound|9411||svc`, which no URL parser takes. */
export function pathOf(url: string): string {
  const end = url.indexOf('?');
  return end === -1 ? url : url.slice(0, end);
}

/** Whether a `%` behind the `?` is not followed by two hex digits. Most servers take it as it stands; Zipkin's refuses it. */
export function hasBadEscape(url: string): boolean {
  const start = url.indexOf('?');
  return start !== -1 && /%(?![0-9a-fA-F]{2})/.test(url.slice(start));
}

/** The parameters after the `?`. */
export function queryOf(url: string): URLSearchParams {
  const start = url.indexOf('?');
  return new URLSearchParams(start === -1 ? '' : url.slice(start + 1));
}
