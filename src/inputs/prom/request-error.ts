/** What went wrong on the way to a target, in words for whoever runs it. */

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

type Words = (host: string, message: string) => string;

const closed: Words = (host) => `${host} closed the connection before its answer was complete; its own log may say why`;
const unverified: Words = (host, message) =>
  `the certificate of ${host} is not trusted (${message}): name its authority with ca_certs`;

const words: Readonly<Record<string, Words>> = {
  ECONNREFUSED: (host) => `nothing listens at ${host} (connection refused): is the process up, and is this its port?`,
  ECONNRESET: closed,
  EPIPE: closed,
  UND_ERR_SOCKET: closed,
  ENOTFOUND: (host) => `the name in ${host} cannot be resolved: check its spelling, or the DNS that this agent uses`,
  EAI_AGAIN: (host) => `the name in ${host} cannot be resolved now: the DNS that this agent uses does not answer`,
  EHOSTUNREACH: (host) => `no route to ${host}: is the machine up, and does a network policy forbid it?`,
  ENETUNREACH: (host) => `no route to the network of ${host}`,
  ETIMEDOUT: (host) => `${host} does not answer the connection: is it up, and does a network policy forbid it?`,
  UND_ERR_CONNECT_TIMEOUT: (host) =>
    `no connection to ${host} within the timeout: is it up, and does a network policy forbid it?`,
  UND_ERR_HEADERS_OVERFLOW: (host) => `${host} answered with more header lines than can be read (16 KiB)`,
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: (host) => `the answer of ${host} is not as long as its Content-Length says`,
  ENOENT: (_, message) => `the socket or file cannot be found: ${message}`,
  EACCES: (_, message) => `this agent may not use the socket or file: ${message}`,
  ERR_SSL_WRONG_VERSION_NUMBER: (host) => `${host} does not speak TLS: write http:// in its URL`,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: (host) => `${host} does not speak TLS: write http:// in its URL`,
  EPROTO: (host, message) => `no TLS connection to ${host}: ${message}`,
  DEPTH_ZERO_SELF_SIGNED_CERT: unverified,
  SELF_SIGNED_CERT_IN_CHAIN: unverified,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: unverified,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: unverified,
  CERT_HAS_EXPIRED: (host) => `the certificate of ${host} has expired`,
  ERR_TLS_CERT_ALTNAME_INVALID: (host, message) =>
    `the certificate of ${host} is for another name (${message}): give the right one with server_name`,
};

/** An error of undici, Node or the target as a sentence: what happened, where, and mostly what to do. */
export function describeRequestError(cause: unknown, host: string): Error {
  const code = codeOf(cause);
  const inner = cause instanceof Error && cause.cause !== undefined ? codeOf(cause.cause) : '';
  const known = words[code] ?? words[inner];
  if (known !== undefined) return new Error(known(host, messageOf(cause)), { cause });
  if (code.startsWith('HPE_')) {
    return new Error(`${host} does not answer in HTTP (${messageOf(cause)}): does it want https:// or another port?`, {
      cause,
    });
  }
  return cause instanceof Error ? cause : new Error(String(cause));
}
