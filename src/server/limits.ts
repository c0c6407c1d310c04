/** What the HTTP side bears before it says no. Bodies have their limits with their routes. */

export interface ServerLimits {
  /** A request must have arrived whole, headers and body, within this. */
  readonly requestTimeoutMs: number;
  readonly headersTimeoutMs: number;
  /** How often the two above, the handlers' deadline and slow readers are looked after. */
  readonly checkIntervalMs: number;
  readonly keepAliveTimeoutMs: number;
  /** How long a handler may take before its client is told 503 and its signal aborts. */
  readonly handlerTimeoutMs: number;
  /** How long a client may take to read an answer that is ready, or to read nothing of one that is streamed. */
  readonly answerTimeoutMs: number;
  /** How long the rest of a refused body is read and thrown away, so that the refusal is seen instead of a reset. */
  readonly lingerMs: number;
  /** Over all listeners. Beyond it the connection that has been idle longest is closed for the new one. */
  readonly maxConnections: number;
  readonly maxRequestsPerSocket: number;
  readonly maxHeaderBytes: number;
  /** Request bodies held in memory over all requests, inflated bytes included. Beyond it 429. */
  readonly bodyBytesInFlight: number;
  /** The form of a POSTed query. */
  readonly formBytes: number;
  /** Requests a second that one peer may send, with bursts of five times as many; undefined for no limit. */
  readonly requestsPerSecondPerPeer: number | undefined;
}

export const defaultLimits: ServerLimits = {
  requestTimeoutMs: 30_000,
  headersTimeoutMs: 10_000,
  checkIntervalMs: 1_000,
  keepAliveTimeoutMs: 65_000,
  handlerTimeoutMs: 30_000,
  answerTimeoutMs: 30_000,
  lingerMs: 1_000,
  maxConnections: 1_024,
  maxRequestsPerSocket: 10_000,
  maxHeaderBytes: 16_384,
  bodyBytesInFlight: 64 * 1024 * 1024,
  formBytes: 1024 * 1024,
  requestsPerSecondPerPeer: undefined,
};
