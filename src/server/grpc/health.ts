/** gRPC's own health check, which Kubernetes and load balancers ask (https://github.com/grpc/grpc/blob/master/doc/health-checking.md). */
import type { IngestRoute } from '../../pipeline/ingest-route.ts';

export const healthCheckPath = '/grpc.health.v1.Health/Check';

const serving = Uint8Array.of(8, 1);
const notServing = Uint8Array.of(8, 2);

/** Says that a service is served as long as it has a method; the empty name stands for the whole server. */
export function createHealthCheck(options: { isStopping(): boolean; isServed(service: string): boolean }): IngestRoute {
  return {
    method: 'POST',
    path: healthCheckPath,
    bodyLimitBytes: 4_096,
    inflatedLimitBytes: 4_096,
    allowsAnyOrigin: false,
    isGrpc: true,
    async handle({ body }) {
      const service = readService(body);
      if (service === undefined) return { status: 400, body: 'this is no HealthCheckRequest' };
      if (service !== '' && !options.isServed(service))
        return { status: 404, body: `there is no service ${JSON.stringify(service)} here` };
      return { status: 200, body: options.isStopping() ? notServing : serving };
    },
    refused: () => undefined,
  };
}

/** The one field of a `HealthCheckRequest`. */
function readService(body: Buffer): string | undefined {
  if (body.length === 0) return '';
  const [tag, length = 0] = body;
  if (tag !== 0x0a || length > 0x7f || body.length !== 2 + length) return undefined;
  return body.toString('utf8', 2);
}
