/**
 * Bodies of 100 spans as an Envoy posts them: 14 tags a span, three of them unique a span, 50 services, 500 names, random ids and durations.
 * A body is built once and then only its random digits are rewritten in place, so that the generator takes as little of the machine as can be.
 */

const spansPerBody = 100;
const services = 50;
const namesPerService = 10;
/** Spans of one trace that stand in one body. */
const spansPerTrace = 4;

/** A small fast generator of 32-bit numbers (xorshift128): with less state, streams of a billion numbers would meet and ids repeat. */
export function createNumbers(seed: number): () => number {
  let a = seed >>> 0 || 1;
  let b = 362_436_069;
  let c = 521_288_629;
  let d = 88_675_123;
  const next = () => {
    const t = a ^ (a << 11);
    a = b;
    b = c;
    c = d;
    d = (d ^ (d >>> 19) ^ t ^ (t >>> 8)) >>> 0;
    return d;
  };
  // Near seeds begin alike.
  for (let i = 0; i < 32; i++) next();
  return next;
}

const hexDigits = Buffer.from('0123456789abcdef');

type Kind = 'trace' | 'hex' | 'digits' | 'time' | 'duration';

interface Slot {
  readonly at: number;
  readonly length: number;
  readonly kind: Kind;
  readonly span: number;
}

export interface SpanBody {
  readonly bytes: Buffer;
  /** Writes new ids, times and durations into `bytes`. */
  refresh(nowUs: number): void;
  /** The trace id of one of its spans. */
  traceId(span: number): string;
}

const marks: Readonly<Record<string, Kind>> = { T: 'trace', H: 'hex', D: 'digits', S: 'time', U: 'duration' };

/** A span as text, with marks `‹KIND:LENGTH›` where values are rewritten. */
function spanText(index: number, random: () => number): string {
  const service = random() % services;
  const name = random() % namesPerService;
  const isServer = index % 2 === 0;
  const tags = {
    component: 'proxy',
    'guid:x-request-id': '‹H:8›-‹H:4›-4‹H:3›-8‹H:3›-‹H:12›',
    'http.method': 'GET',
    'http.protocol': 'HTTP/1.1',
    'http.status_code': '200',
    'http.url': `http://service-${service}:9080/api/v1/items/‹H:8›`,
    'istio.canonical_service': `service-${service}`,
    node_id: `sidecar~10.1.0.${service}~service-${service}-v1-6b746f74dc-9stvs.default~default.svc.cluster.local`,
    'peer.address': '10.2.1‹D:2›.1‹D:2›:5‹D:4›',
    request_size: '0',
    response_flags: '-',
    response_size: '5183',
    upstream_cluster: isServer ? 'inbound|9080||' : `outbound|9080||service-${service}.default.svc.cluster.local`,
    user_agent: 'Mozilla/5.0 (X11; Linux x86_64)',
  };
  return JSON.stringify({
    traceId: '‹T:32›',
    parentId: '‹H:16›',
    id: '‹H:16›',
    kind: isServer ? 'SERVER' : 'CLIENT',
    name: `service-${service}.default.svc.cluster.local:9080/api/${name}/*`,
    timestamp: '‹S:16›',
    duration: '‹U:5›',
    localEndpoint: { serviceName: `service-${service}.default`, ipv4: `10.1.0.${service}`, port: 9080 },
    tags,
  }).replace(/"(‹[SU]:\d+›)"/g, '$1');
}

/** Makes a body; `seed` decides its services and names, and its random values. */
export function createSpanBody(seed: number): SpanBody {
  const random = createNumbers(seed * 7919 + 17);
  const slots: Slot[] = [];
  const parts: Buffer[] = [];
  let length = 0;
  const push = (text: string) => {
    const bytes = Buffer.from(text);
    parts.push(bytes);
    length += bytes.length;
  };
  for (let span = 0; span < spansPerBody; span++) {
    push(span === 0 ? '[' : ',');
    for (const piece of spanText(span, random).split(/(‹\w:\d+›)/)) {
      const mark = /^‹(\w):(\d+)›$/.exec(piece);
      const kind = mark === null ? undefined : marks[mark[1] ?? ''];
      if (mark === null || kind === undefined) push(piece);
      else {
        slots.push({ at: length, length: Number(mark[2]), kind, span });
        push('1'.repeat(Number(mark[2])));
      }
    }
  }
  push(']');
  const bytes = Buffer.concat(parts);
  const traceSlots = slots.filter(({ kind }) => kind === 'trace');
  const refresh = (nowUs: number) => {
    let traceAt = 0;
    for (const { at, length: size, kind, span } of slots) {
      if (kind === 'trace' && span % spansPerTrace !== 0) bytes.copyWithin(at, traceAt, traceAt + size);
      else if (kind === 'time') bytes.write(String(nowUs - (random() % 1_000_000)), at, 'latin1');
      else {
        if (kind === 'trace') traceAt = at;
        const base = kind === 'trace' || kind === 'hex' ? 16 : 10;
        let bits = 0;
        for (let i = 0; i < size; i++) {
          if (i % 8 === 0) bits = random();
          // A duration must not begin with a zero.
          const digit =
            base === 16 ? bits & 15 : kind === 'duration' && i === 0 ? 1 + ((bits & 15) % 9) : (bits & 15) % 10;
          bytes[at + i] = hexDigits[digit] ?? 48;
          bits >>>= 4;
        }
      }
    }
  };
  return {
    bytes,
    refresh,
    traceId(span) {
      const slot = traceSlots[span];
      return slot === undefined ? '' : bytes.toString('latin1', slot.at, slot.at + slot.length);
    },
  };
}

export const bodySpans = spansPerBody;
