/** How Zipkin's server answers. */
import type { QueryResponse } from '../query-route.ts';

export const json = (body: string | Buffer, headers?: QueryResponse['headers']): QueryResponse => ({
  status: 200,
  contentType: 'application/json',
  body,
  ...(headers === undefined ? {} : { headers }),
});

/** What clients are told who should come again soon. */
export const retrySoon = { 'retry-after': '1' };
