/** The trust boundary of an annotation's URL: it must name the pod that carries it, by its address, and nothing else. */
import { isIPv4, isIPv6 } from 'node:net';
import type { Pod } from '../../model/pod.ts';
import type { RefusalReason } from './finding.ts';

export type AddressVerdict =
  | { readonly ok: true /** As a connection is made to it, whatever way it was written. */; readonly url: URL }
  | { readonly ok: false; readonly reason: RefusalReason; readonly message: string };

const refuse = (reason: RefusalReason, message: string): AddressVerdict => ({ ok: false, reason, message });

/** The one spelling that a URL has for an address; undefined for what is no address. */
function spelledInUrl(ip: string): string | undefined {
  if (isIPv4(ip)) return URL.parse(`http://${ip}/`)?.hostname;
  return isIPv6(ip) ? URL.parse(`http://[${ip}]/`)?.hostname : undefined;
}

/**
 * Addresses that no pod has, whatever its status says: cloud metadata services answer on link-local ones and on fd00:ec2::254, and an IPv4
 * address within an IPv6 one (mapped, compatible, NAT64) may be theirs. They could be reached through `status.podIP` by whoever may write that.
 */
const neverAPod =
  /^(?:169\.254\.|0\.|2(?:2[4-9]|[3-5]\d)\.|\[fe[89ab]|\[ff|\[::\]$|\[fd00:ec2::254\]$|\[::ffff:|\[::[\da-f]+:[\da-f]+\]$|\[64:ff9b:)/;

/** The port that a URL's connection goes to. */
const portOf = (url: URL): number => Number(url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : url.port);

/** The TCP ports that a pod's containers declare, each once. */
export const declaredPorts = (pod: Pod): readonly number[] => [
  ...new Set(
    pod.containers.flatMap(({ ports }) => ports.filter(({ protocol }) => protocol === 'TCP').map(({ port }) => port)),
  ),
];

/**
 * Judges one URL of a pod's annotation. Names are refused altogether: what a name resolves to is asked at each connection, and the second
 * answer need not be the first. The spelling of an address does not matter, since both sides are compared as a URL spells them.
 */
export function judgeOwnAddress(text: string, pod: Pod): AddressVerdict {
  const url = URL.parse(text);
  if (url === null) return refuse('malformed', 'this is no URL; write http://$IP:PORT/PATH');
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    return refuse('not_allowed', `a URL that begins with ${url.protocol} is not scraped; write http://$IP:PORT/PATH`);
  }
  if (url.username !== '' || url.password !== '') {
    return refuse('not_allowed', 'a URL with a user or password is not scraped; take off what stands before the @');
  }
  const own = pod.ips.flatMap((ip) => spelledInUrl(ip) ?? []);
  const host = url.hostname;
  const isAddress = host.startsWith('[') || isIPv4(host);
  if (neverAPod.test(host)) {
    return refuse(
      'not_this_pod',
      `${host} is an address that no pod has: it is never scraped; write http://$IP:PORT/PATH`,
    );
  }
  if (!own.includes(host)) {
    const what = isAddress
      ? 'another address than this pod has'
      : 'a name, and a name may lead to another host each time';
    return refuse(
      'not_this_pod',
      `${host} is ${what}; a pod may have itself scraped alone: write http://$IP:PORT/PATH`,
    );
  }
  if (pod.isOnHostNetwork && !declaredPorts(pod).includes(portOf(url))) {
    const hint = 'declare it under ports: of a container';
    return refuse(
      'not_this_pod',
      `port ${portOf(url)} is not declared by this pod, which is on the node's network; ${hint}`,
    );
  }
  url.hash = '';
  return { ok: true, url };
}
