/** The names that Zipkin's search page offers, in lower case and sorted. */
import { textAnswer } from '../failure.ts';
import type { QueryRequest, QueryResponse } from '../query-route.ts';
import { json } from './answer.ts';

/** The store's readers of names, bound to a client; names are as the senders spelled them. */
export interface NameSource {
  serviceNames(signal: AbortSignal): Promise<readonly string[]>;
  operationNames(service: string, signal: AbortSignal): Promise<readonly string[]>;
  remoteServiceNames(service: string, signal: AbortSignal): Promise<readonly string[]>;
  tagValues(key: string, signal: AbortSignal): Promise<readonly string[]>;
}

type Answer = (request: QueryRequest) => Promise<QueryResponse> | QueryResponse;

/** Who has more services than this is past the first steps: names may be kept for a while. */
const cacheableCount = 3;
const cached = { 'cache-control': 'max-age=300, must-revalidate' };

const missing = (name: string) => textAnswer(400, `${name} is missing: give it as ?${name}=…`);

const folded = (names: readonly string[]): string[] => [...new Set(names.map((name) => name.toLowerCase()))].sort();

export function createNameAnswers(names: NameSource, keys: readonly string[]) {
  // As Zipkin does, all names may be kept once the services were asked for and were many.
  let serviceCount = 0;
  const list = (values: readonly string[], isCacheable = serviceCount > cacheableCount): QueryResponse =>
    json(JSON.stringify(values), isCacheable ? cached : undefined);

  const ofService =
    (read: (service: string, signal: AbortSignal) => Promise<readonly string[]>): Answer =>
    async ({ query, signal }) => {
      const service = query.get('serviceName');
      if (service === null) return missing('serviceName');
      return list(service === '' ? [] : folded(await read(service.toLowerCase(), signal)));
    };

  return {
    async services({ signal }: QueryRequest): Promise<QueryResponse> {
      const services = folded(await names.serviceNames(signal));
      serviceCount = services.length;
      return list(services);
    },
    spans: ofService((service, signal) => names.operationNames(service, signal)),
    remoteServices: ofService((service, signal) => names.remoteServiceNames(service, signal)),
    autocompleteKeys: (): QueryResponse => list(keys, true),
    async autocompleteValues({ query, signal }: QueryRequest): Promise<QueryResponse> {
      const key = query.get('key');
      if (key === null) return missing('key');
      if (key === '') return textAnswer(400, 'key was empty');
      if (!keys.includes(key)) return list([], false);
      const values = [...(await names.tagValues(key, signal))].sort();
      return list(values, values.length > cacheableCount);
    },
  };
}
