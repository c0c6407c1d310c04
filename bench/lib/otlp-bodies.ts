/** Bodies of OTLP requests as an SDK or a collector sends them: 100 spans of one service, each with 14 attributes of which three are unique and three are integers. */
import { createChoices } from '../../test/contract/decoder-kit.ts';

type Random = ReturnType<typeof createChoices>;

function hex(random: Random, length: number): string {
  let text = '';
  while (text.length < length) {
    text += random(2 ** 32)
      .toString(16)
      .padStart(8, '0');
  }
  return text.slice(0, length);
}

const text = (key: string, value: string) => ({ key, value: { stringValue: value } });
const int = (key: string, value: number) => ({ key, value: { intValue: String(value) } });
const nanos = (us: number, rest: number) => `${us}${String(rest).padStart(3, '0')}`;

function span(random: Random, service: number): unknown {
  const startUs = 1_795_253_305_853_895 + random(1_000_000_000);
  return {
    traceId: hex(random, 32),
    spanId: hex(random, 16),
    parentSpanId: hex(random, 16),
    flags: 257,
    name: `GET /items/{id}/${random(10)}`,
    kind: 2 + random(2),
    startTimeUnixNano: nanos(startUs, random(1000)),
    endTimeUnixNano: nanos(startUs + 1 + random(1_000_000), random(1000)),
    attributes: [
      text('http.request.method', 'GET'),
      text('url.scheme', 'http'),
      text('url.full', `http://service-${service}:9080/items/${hex(random, 8)}`),
      text('http.route', '/items/{id}'),
      int('http.response.status_code', 200),
      text('network.protocol.version', '1.1'),
      text('network.peer.address', `10.0.${random(256)}.${random(256)}`),
      int('network.peer.port', 1024 + random(60_000)),
      text('server.address', `service-${service}.default.svc.cluster.local`),
      int('server.port', 9080),
      text('user_agent.original', 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36'),
      text(
        'request.id',
        `${hex(random, 8)}-${hex(random, 4)}-4${hex(random, 3)}-9${hex(random, 3)}-${hex(random, 12)}`,
      ),
      text('thread.name', `worker-${random(16)}`),
      text('component', 'proxy'),
    ],
    status: {},
  };
}

/** JSON bodies of 100 spans, the same for the same seed. */
export function otlpJsonBodies(count: number, seed: number): Buffer[] {
  const random = createChoices(seed);
  return Array.from({ length: count }, () => {
    const service = random(50);
    const resource = {
      attributes: [
        text('service.name', `service-${service}`),
        text('service.version', '1.4.2'),
        text('k8s.namespace.name', 'default'),
        text('k8s.pod.name', `service-${service}-7f4c9d-${hex(random, 4)}`),
        text('k8s.node.name', `node-${random(8)}`),
        text('telemetry.sdk.language', 'nodejs'),
        int('process.pid', 4242),
      ],
    };
    const spans = Array.from({ length: 100 }, () => span(random, service));
    const scopeSpans = [{ scope: { name: '@opentelemetry/instrumentation-http', version: '0.213.0' }, spans }];
    return Buffer.from(JSON.stringify({ resourceSpans: [{ resource, scopeSpans }] }));
  });
}
