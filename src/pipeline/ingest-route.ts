/** How a pushed-to input says what it takes over HTTP, without knowing the server. */

/** A request whose body was read whole, within the route's limits, and inflated. */
export interface IngestRequest {
  readonly path: string;
  /** The media type in lower case without parameters, '' when the header is missing. */
  readonly mediaType: string;
  /** The whole header as it was sent; undefined where it is missing. */
  readonly contentType?: string | undefined;
  /** Valid until `handle` has resolved: its memory is used again. */
  readonly body: Buffer;
  /** Aborts when the client leaves or the server's deadline passes. */
  readonly signal: AbortSignal;
}

export interface IngestResponse {
  readonly status: number;
  /** Text bodies are sent as text/plain unless `contentType` says otherwise. */
  readonly body?: string | Uint8Array;
  readonly contentType?: string;
  /** Sent as Retry-After, rounded up to whole seconds. */
  readonly retryAfterMs?: number;
}

/** Why a request never reached the route's handler. */
export type IngestProblem =
  | 'body_too_large'
  | 'inflated_too_large'
  | 'bad_encoding'
  | 'unsupported_encoding'
  | 'body_incomplete'
  | 'overloaded';

export interface IngestRoute {
  readonly method: 'POST';
  readonly path: string;
  /** The limit of what is on the wire. */
  readonly bodyLimitBytes: number;
  /** The limit after inflating. */
  readonly inflatedLimitBytes: number;
  /** Answers `Access-Control-Allow-Origin: *` and preflights, as Zipkin does. */
  readonly allowsAnyOrigin: boolean;
  /** The one Content-Encoding that the route takes, or none, and undoes itself: its bodies come as they were sent. */
  readonly ownEncoding?: string;
  /** Served on Zipkin's own port too, whatever its path. */
  readonly isZipkin?: boolean;
  /** Served on OTLP's own port too, whatever its path. */
  readonly isOtlp?: boolean;
  /**
   * A unary method of gRPC, not a POST of HTTP: `path` is `/package.Service/Method`, bodies are messages, 200 is OK with the answer's message
   * and every other status becomes the code that means the same, with the body as its text.
   */
  readonly isGrpc?: boolean;
  handle(request: IngestRequest): Promise<IngestResponse>;
  /** Told of each request that was refused before `handle`, so that the input can count it. */
  refused(problem: IngestProblem, message: string): void;
  /** How that is said where the protocol has a form for it; plain text without it. `mediaType` is the request's. */
  tell?(
    problem: IngestProblem,
    message: string,
    mediaType: string,
  ): Pick<IngestResponse, 'body' | 'contentType'> | undefined;
}

export interface IngestRoutes {
  /** Adds a route; the function that comes back takes it away again. Throws if method and path are taken. */
  add(route: IngestRoute): () => void;
}
