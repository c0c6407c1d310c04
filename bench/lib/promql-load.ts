/**
 * What comes in while `bench/promql.ts` asks, from a process of its own, so that the asking clock does not wait for the sending one. The
 * counters that are asked about go on in all peers; the load of other series goes to one peer at a time, at a set pace, as the parent says.
 */
import { Agent, request } from 'node:http';
import { parseArgs } from 'node:util';
import { bodiesOfStep, createBody, stampOf, stepAt, stepMs } from './promql-data.ts';
import { labelsOfSeries } from './remote-write-data.ts';
import { createWriteTemplate } from './write-template.ts';

/** From the parent. `peers` is where counters go on; `load` without an address stops the load, which is answered by its `Loaded`. */
export type LoadOrder =
  | { readonly kind: 'peers'; readonly urls: readonly string[] }
  | { readonly kind: 'load'; readonly url?: string };

export interface Loaded {
  readonly kind: 'ready' | 'loaded';
  readonly acknowledged: number;
  /** Answered otherwise than 2xx. */
  readonly refused: number;
  readonly seconds: number;
}

const { values } = parseArgs({
  options: { rate: { type: 'string' }, step: { type: 'string' }, series: { type: 'string', default: '100000' } },
});
const rate = Number(values.rate);
const seriesOfBody = 2000;
const inFlight = 8;
const agent = new Agent({ keepAlive: true });
const headers = { 'Content-Type': 'application/x-protobuf', 'Content-Encoding': 'snappy' };

function post(url: string, body: Buffer): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request(`${url}/api/v1/write`, { agent, method: 'POST', headers }, (response) => {
      response.resume().on('end', () => resolve((response.statusCode ?? 500) < 300));
      response.on('error', () => resolve(false));
    });
    // A peer that is being started again.
    asked.on('error', () => resolve(false));
    asked.end(body);
  });
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** The counters' next bodies, spread over their step; what a peer did not take is sent again until it does. */
async function goOn(urlOf: () => string | undefined, firstStep: number): Promise<void> {
  let step = firstStep;
  let part = 0;
  for (;;) {
    const url = urlOf();
    const isDue = step <= stepAt(Date.now()) && Date.now() >= stampOf(step) + (part / bodiesOfStep) * stepMs;
    if (url === undefined || !isDue || !(await post(url, createBody(part, step, 1)))) {
      await pause(50);
      continue;
    }
    part = (part + 1) % bodiesOfStep;
    if (part === 0) step++;
  }
}

const labels = Array.from({ length: Number(values.series) }, (_, i) => labelsOfSeries(i));
const templates = Array.from({ length: Math.ceil(labels.length / seriesOfBody) }, (_, body) =>
  createWriteTemplate(labels.slice(body * seriesOfBody, (body + 1) * seriesOfBody)),
);
let nextBody = 0;

/** Sends at the pace that was asked for, or as fast as the peer takes it when that is slower; each series' stamps grow with the clock. */
async function load(url: string, until: AbortSignal): Promise<Loaded> {
  const startedMs = performance.now();
  let sent = 0;
  let acknowledged = 0;
  let refused = 0;
  const lane = async () => {
    while (!until.aborted) {
      if (sent >= (rate * (performance.now() - startedMs)) / 1000) {
        await pause(2);
        continue;
      }
      sent += seriesOfBody;
      const template = templates[nextBody++ % templates.length];
      const nowMs = Date.now();
      const body = template?.at(nowMs, (i) => Math.floor(nowMs / 1000) * (1 + (i % 97)));
      if (body === undefined) return;
      if (await post(url, body)) acknowledged += seriesOfBody;
      else refused += seriesOfBody;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  return { kind: 'loaded', acknowledged, refused, seconds: (performance.now() - startedMs) / 1000 };
}

let peers: readonly string[] = [];
let stopLoad = new AbortController();
let loading: Promise<Loaded> | undefined;
const tell = (loaded: Loaded) => process.send?.(loaded);

process.on('message', (order: LoadOrder) => {
  if (order.kind === 'peers') {
    const isFirst = peers.length === 0;
    peers = order.urls;
    if (isFirst) peers.forEach((_, i) => void goOn(() => peers[i], Number(values.step)));
    return;
  }
  stopLoad.abort();
  if (order.url === undefined) {
    void loading?.then(tell);
    return;
  }
  stopLoad = new AbortController();
  loading = load(order.url, stopLoad.signal);
});
process.on('disconnect', () => process.exit());
tell({ kind: 'ready', acknowledged: 0, refused: 0, seconds: 0 });
