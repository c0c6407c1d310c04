/** The other side of a call, out of the attributes that OpenTelemetry's conventions name it by; where Zipkin's endpoints go on their way to OTLP. */
import type { Endpoint } from '../../model/span.ts';
import { addIpAddress, type RawEndpoint, toEndpoint } from '../zipkin-v2-json/span-fields.ts';

type Texts = Readonly<Record<string, string>>;

const lastPort = 0xffff;

/** The remote endpoint that the attributes tell of, as the collector's Zipkin exporter makes it; undefined when they tell of none. */
export function remoteEndpointOf(texts: Texts): Endpoint | undefined {
  const serviceName = texts['peer.service'] ?? texts['service.peer.name'];
  const address = texts['network.peer.address'] ?? texts['net.peer.ip'] ?? texts['net.sock.peer.addr'];
  if (serviceName === undefined && address === undefined) return undefined;
  const raw: RawEndpoint = { serviceName, ipv4: undefined, ipv6: undefined, port: 0 };
  if (address !== undefined) addIpAddress(raw, address);
  if (raw.ipv4 !== undefined || raw.ipv6 !== undefined) raw.port = portOf(texts);
  return toEndpoint(raw);
}

function portOf(texts: Texts): number {
  const port = Number(texts['network.peer.port'] ?? texts['net.peer.port'] ?? texts['net.sock.peer.port'] ?? 0);
  return Number.isInteger(port) && port > 0 && port <= lastPort ? port : 0;
}
