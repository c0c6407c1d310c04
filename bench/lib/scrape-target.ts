/**
 * A target to scrape, run as a process of its own: one page of many series with a dozen labels each, 70 % integer counters, 20 % noisy
 * floats and 10 % constants. Tells its parent its port, and every page that it has served.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { createRandom } from '../../test/fixtures/random.ts';

export type TargetMessage =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'served'; readonly path: string; readonly bytes: number; readonly series: number };

const gzipLevel = 6;
const families = 20;

/** The text of each series before its value; about 245 bytes a line. */
function seriesTexts(count: number): readonly string[] {
  const perFamily = Math.ceil(count / families);
  return Array.from({ length: count }, (_, i) => {
    const family = Math.floor(i / perFamily);
    const labels = [
      ['cluster', 'main'],
      ['code', String(200 + (i % 5))],
      ['container', 'istio-proxy'],
      ['destination', `reviews-v${i % 3}`],
      ['direction', i % 2 === 0 ? 'in' : 'out'],
      ['method', ['GET', 'POST', 'PUT'][i % 3]],
      ['namespace', `ns-${i % 20}`],
      ['node', `node-${i % 50}`],
      ['pod', `reviews-v1-5f7b9-${i % 1000}`],
      ['protocol', 'http'],
      ['shard', String(i)],
    ];
    const text = labels.map(([name, value]) => `${name}="${value}"`).join(',');
    return `bench_requests_of_the_mesh_${family}_total{${text}} `;
  });
}

function createPages(count: number) {
  const random = createRandom(20261121);
  const texts = seriesTexts(count);
  const perFamily = Math.ceil(count / families);
  const counters = texts.map(() => Math.floor(random() * 1e6));
  return (): Buffer => {
    const lines: string[] = [];
    texts.forEach((text, i) => {
      if (i % perFamily === 0) {
        const name = text.slice(0, text.indexOf('{'));
        lines.push(`# HELP ${name} Requests that were seen.\n# TYPE ${name} counter\n`);
      }
      const kind = i % 10;
      if (kind < 7) counters[i] = (counters[i] ?? 0) + Math.floor(random() * 1000);
      const value = kind < 7 ? String(counters[i]) : kind < 9 ? String(random() * 100) : '1';
      lines.push(`${text}${value}\n`);
    });
    return Buffer.from(lines.join(''));
  };
}

/** `/empty` has one sample, everything else the whole page. The next page is made when one has been served, so that nobody waits for it. */
function serve(count: number): void {
  const tell = (message: TargetMessage) => process.send?.(message);
  const make = createPages(count);
  let body = make();
  let zipped = gzipSync(body, { level: gzipLevel });
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    response.setHeader('content-type', 'text/plain; version=0.0.4');
    if (path === '/empty') {
      response.end('bench_nothing 1\n', () => tell({ kind: 'served', path, bytes: 16, series: 1 }));
      return;
    }
    const isZipped = String(request.headers['accept-encoding'] ?? '').includes('gzip');
    if (isZipped) response.setHeader('content-encoding', 'gzip');
    const bytes = body.length;
    response.end(isZipped ? zipped : body, () => {
      tell({ kind: 'served', path, bytes, series: count });
      // The scrape is measured first; making a page takes as long as reading it.
      setTimeout(() => {
        body = make();
        zipped = gzipSync(body, { level: gzipLevel });
      }, 1500);
    });
  });
  server.listen(0, '127.0.0.1', () => tell({ kind: 'listening', port: (server.address() as AddressInfo).port }));
}

serve(Number(process.argv[2] ?? 50_000));
