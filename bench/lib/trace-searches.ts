/** The searches that a viewer makes, through the HTTP API, each time with other parameters so that no cache answers. */
import { quantile } from './processes.ts';

type Get = (path: string) => Promise<{ status: number; text: string }>;

export interface Took {
  readonly p50: number;
  readonly p95: number;
  readonly max: number;
  /** Of all answers: how many traces they held. */
  readonly found: number;
}

async function time(get: Get, paths: readonly string[]): Promise<Took> {
  const tookMs: number[] = [];
  let found = 0;
  for (const path of paths) {
    const before = performance.now();
    const { status, text } = await get(path);
    tookMs.push(performance.now() - before);
    if (status !== 200) throw new Error(`${path}: ${status} ${text.slice(0, 200)}`);
    found += JSON.parse(text).length;
  }
  return { p50: quantile(tookMs, 0.5), p95: quantile(tookMs, 0.95), max: quantile(tookMs, 1), found };
}

const hourMs = 3_600_000;

/** Services and operations, and searches of the last hour. The spans are `span-load.ts`'s: 50 services, each with a tag of its own. */
export async function measureTraceSearches(get: Get, times = 40): Promise<Record<string, Took>> {
  const services: string[] = JSON.parse((await get('/api/v2/services')).text);
  const service = (i: number) => encodeURIComponent(services[i % services.length] ?? '');
  const tagOf = (i: number) => `istio.canonical_service%3Dservice-${i % 50}`;
  const each = (path: (i: number) => string) =>
    time(
      get,
      Array.from({ length: times }, (_, i) => path(i)),
    );
  const search = (parameters: (i: number) => string) =>
    each((i) => `/api/v2/traces?${parameters(i)}&lookback=${hourMs}&endTs=${Date.now()}`);
  return {
    services: await each(() => '/api/v2/services'),
    operations: await each((i) => `/api/v2/spans?serviceName=${service(i)}`),
    remoteServices: await each((i) => `/api/v2/remoteServices?serviceName=${service(i)}`),
    newest20OfService: await search((i) => `serviceName=${service(i)}&limit=20`),
    tag: await search((i) => `annotationQuery=http.method%3DGET&limit=${20 + i}`),
    tagOfOneService: await search((i) => `annotationQuery=${tagOf(i)}&limit=${20 + i}`),
    tagNobodyHas: await search((i) => `annotationQuery=http.status_code%3D7${i}x`),
    // Durations lie between 10 and 99 ms.
    serviceTagAndDuration: await search(
      (i) => `serviceName=${service(i)}&annotationQuery=http.status_code%3D200&minDuration=${20_000 + 37 * i}`,
    ),
    tagAndDuration: await search((i) => `annotationQuery=http.method%3DGET&minDuration=${20_000 + 37 * i}`),
    tagOfOneServiceAndDuration: await search((i) => `annotationQuery=${tagOf(i)}&minDuration=${90_000 + 37 * i}`),
    // The whole hour is looked through in vain.
    tagNobodyHasAndDuration: await search((i) => `annotationQuery=http.status_code%3D5${i}x&minDuration=${20_000 + i}`),
    uniqueTagNobodyHasAndDuration: await search(
      (i) => `annotationQuery=http.url%3D/nowhere/${i}&minDuration=${20_000 + i}`,
    ),
    durationNobodyHas: await search((i) => `serviceName=${service(i)}&minDuration=${1_000_000_000 + i}`),
    tagButNoDuration: await search((i) => `annotationQuery=${tagOf(i)}&minDuration=${1_000_000_000 + i}`),
  };
}
