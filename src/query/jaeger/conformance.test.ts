/**
 * What Grafana, Kiali and Jaeger's own UI ask, with the answers that a real Jaeger 2.20.0 gave, over spans in memory. The directory is
 * CONFORMANCE_DIR; where it is missing the cases are skipped with a message.
 */
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { createMemoryTraces } from '../../../test/fixtures/memory-traces.ts';
import { decodeJsonSpans } from '../../codec/otlp/decode-spans.ts';
import { decodeSpans } from '../../codec/zipkin-v2-json/decode-spans.ts';
import type { Span } from '../../model/span.ts';
import type { QueryResponse, QueryRoute } from '../query-route.ts';
import { createSearchGate } from '../search-gate.ts';
import { createJaegerApi } from './index.ts';

const directory = resolve(
  process.env['CONFORMANCE_DIR'] ?? new URL('../../../../shared/conformance', import.meta.url).pathname,
  'traces',
);

interface Request {
  readonly to: string;
  readonly method?: string;
  readonly path: string;
  readonly json?: unknown;
  readonly text?: string;
}

interface Case {
  readonly name: string;
  readonly set: string;
  readonly request: Request;
  readonly expect: unknown;
}

interface Cases {
  readonly load: readonly Case[];
  readonly calls: readonly Case[];
}

/** What of the cases' runner is used here. */
interface Runner {
  makeVars(run: string): unknown;
  fill<Value>(vars: unknown, value: Value): Value;
  check(expected: unknown, answer: { status: number; headers: Record<string, string>; text: string }): string | null;
}

const sets = ['jaeger', 'jaeger-v3', 'zipkin-in-jaeger'];

/**
 * Jaeger's memory store hands out the spans that it keeps, and what adjusts them for one answer is still there in the next: this case was
 * recorded when the trace had been asked for four times and had gathered the same warning four times (tenant.go's getTraces; clockskew.go).
 * Here there is one, however often it is asked for; all else is as it was recorded.
 */
const recordsAFault = 'grafana-jaeger-v3.traces';

interface Attribute {
  readonly key?: string;
  readonly value?: { readonly arrayValue?: { readonly values: readonly unknown[] } };
}

function withEachWarningOnce(expected: unknown): unknown {
  return JSON.parse(JSON.stringify(expected), (_key, value: Attribute) => {
    if (value?.key !== '@jaeger@warnings') return value;
    const distinct = new Map(
      (value.value?.arrayValue?.values ?? []).map((warning) => [JSON.stringify(warning), warning]),
    );
    return { ...value, value: { arrayValue: { values: [...distinct.values()] } } };
  });
}

const isThere = existsSync(resolve(directory, 'run.mjs'));

describe.skipIf(!isThere)(`Jaeger's answers (${isThere ? directory : `skipped: no ${directory}`})`, async () => {
  if (!isThere) return;
  const runner: Runner = await import(pathToFileURL(resolve(directory, 'run.mjs')).href);
  const cases: Cases = JSON.parse(readFileSync(resolve(directory, 'client-calls.json'), 'utf8'));
  const vars = runner.makeVars('5eed0001');
  const routes = createJaegerApi({
    source: createMemoryTraces(loadedSpans()),
    searches: createSearchGate({ atOnce: 4, waiting: 100 }),
    freshen: () => Promise.resolve(),
    isCurrent: () => true,
    nowMs: Date.now,
  });

  function loadedSpans(): Span[] {
    return cases.load.flatMap(({ set, request }) => {
      if (!sets.includes(set) || request.json === undefined) return [];
      const body = Buffer.from(JSON.stringify(runner.fill(vars, request.json)));
      return request.to === 'otlp' ? decodeJsonSpans(body).spans : decodeSpans(body);
    });
  }

  for (const { name, request, expect: expected } of cases.calls.filter(
    (call) => sets.includes(call.set) && call.request.to === 'jaeger',
  )) {
    it(name, async () => {
      const { status, contentType, body } = await ask(routes, runner.fill(vars, request));
      const answer = { status, headers: { 'content-type': contentType }, text: body.toString() };
      const wanted = name === recordsAFault ? withEachWarningOnce(expected) : expected;
      expect(runner.check(runner.fill(vars, wanted), answer)).toBeNull();
    });
  }
});

async function ask(routes: readonly QueryRoute[], request: Request): Promise<QueryResponse> {
  const url = new URL(request.path, 'http://jaeger');
  const parts = url.pathname.split('/');
  const body = request.json === undefined ? request.text : JSON.stringify(request.json);
  for (const route of routes) {
    const pattern = route.path.split('/');
    if (route.method !== (request.method ?? 'GET') || pattern.length !== parts.length) continue;
    if (!pattern.every((part, i) => part.startsWith(':') || part === parts[i])) continue;
    const params = Object.fromEntries(
      pattern.flatMap((part, i) => (part.startsWith(':') ? [[part.slice(1), decodeURIComponent(parts[i] ?? '')]] : [])),
    );
    const signal = AbortSignal.timeout(5000);
    return route.handle({
      params,
      query: url.searchParams,
      form: undefined,
      body: body === undefined ? undefined : Buffer.from(body),
      signal,
    });
  }
  throw new Error(`no route takes ${request.method ?? 'GET'} ${request.path}`);
}
