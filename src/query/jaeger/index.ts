/**
 * Jaeger's query APIs over the store: v1, which Grafana, Kiali and Jaeger's own UI ask, and v3, which the UI's searches ask since 2.19
 * (jaegerquery's http_handler.go before it lost its searches; apiv3/http_gateway.go).
 */
import type { QueryRoute } from '../query-route.ts';
import type { JaegerApiOptions } from './source.ts';
import { createV1Routes } from './v1-routes.ts';
import { createV3Routes } from './v3-routes.ts';

export type { JaegerApiOptions, JaegerSource } from './source.ts';
export { createJaegerSource } from './store-source.ts';

/** The routes of both. */
export function createJaegerApi(options: JaegerApiOptions): readonly QueryRoute[] {
  return [...createV1Routes(options), ...createV3Routes(options)];
}
