/** How a query dialect says what it answers over HTTP, without knowing the server. */

/** A request whose body, if it had one, was read whole within the server's limits. */
export interface QueryRequest {
  /** The values of the path's `:name` parts, percent-decoded. */
  readonly params: Readonly<Record<string, string>>;
  /** The URL's query string. */
  readonly query: URLSearchParams;
  /** The body of a POST with `application/x-www-form-urlencoded`; undefined when there was none. */
  readonly form: URLSearchParams | undefined;
  /** The body of a POST of any other type, inflated by nobody; undefined when there was none. */
  readonly body?: Buffer | undefined;
  /** Aborts when the client leaves or the server's deadline passes; it ends the query in the store as well. */
  readonly signal: AbortSignal;
}

export interface QueryResponse {
  readonly status: number;
  readonly contentType: string;
  /** What is iterated is written while it is sent; it must end, or throw, soon after the request's signal aborted. */
  readonly body: string | Buffer | AsyncIterable<Buffer>;
  /** Further headers, names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** One route of a dialect. `handle` answers every error it can name; what it throws is a bug or an aborted request. */
export interface QueryRoute {
  readonly method: 'GET' | 'POST';
  /** May hold `:name` parts, e.g. `/api/v2/trace/:id`. */
  readonly path: string;
  /** How large the body of a POST may be, where it is no form; the server's limit for forms unless given. */
  readonly maxBodyBytes?: number;
  /** Paths with the same `:name` parts where the same is served, for clients of a protocol that look there too. */
  readonly aliases?: readonly string[];
  /** Who may ask: those who may query, unless it is `open` to everybody. */
  readonly group?: 'query' | 'open';
  handle(request: QueryRequest): Promise<QueryResponse>;
}
