/** A search for traces as Zipkin's API asks it. */

export interface SearchTag {
  readonly key: string;
  /** Undefined for any value; an annotation of this text meets it as well. */
  readonly value: string | undefined;
}

export interface TraceSearch {
  readonly service: string | undefined;
  readonly span: string | undefined;
  readonly remote: string | undefined;
  readonly tags: readonly SearchTag[];
  readonly minUs: number | undefined;
  readonly maxUs: number | undefined;
  readonly endMs: number;
  readonly lookbackMs: number;
  readonly limit: number;
}

/** The path and query of `GET /api/v2/traces`. */
export function searchPath(search: TraceSearch): string {
  const parameters = new URLSearchParams();
  const set = (name: string, value: string | number | undefined) => {
    if (value !== undefined && value !== '') parameters.set(name, String(value));
  };
  set('serviceName', search.service);
  set('spanName', search.span);
  set('remoteServiceName', search.remote);
  set(
    'annotationQuery',
    search.tags.map(({ key, value }) => (value === undefined ? key : `${key}=${value}`)).join(' and '),
  );
  // A maximum without a minimum is refused there.
  set('minDuration', search.minUs ?? (search.maxUs === undefined ? undefined : 1));
  set('maxDuration', search.maxUs);
  set('endTs', search.endMs);
  set('lookback', search.lookbackMs);
  set('limit', search.limit);
  return `/api/v2/traces?${parameters}`;
}
