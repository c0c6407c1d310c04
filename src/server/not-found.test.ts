import { describe, expect, it } from 'vitest';
import { answerNotFound } from './not-found.ts';

const routes = [
  { method: 'POST', path: '/api/v2/spans' },
  { method: 'GET', path: '/api/v2/services' },
  { method: 'GET', path: '/api/v2/trace/:id' },
  { method: 'POST', path: '/-/reload' },
  { method: 'GET', path: '/info' },
];
const inBrowser = (path: string) => answerNotFound({ method: 'GET', path, wantsHtml: true }, routes);

describe('what a browser is shown where nothing is', () => {
  it('is a page that says so, links to what comes nearest and to the start page', () => {
    const { status, body, contentType, headers } = inBrowser('/api/v2/servces');
    expect([status, contentType]).toEqual([404, 'text/html; charset=utf-8']);
    expect(body).toContain('nothing at <code>/api/v2/servces</code>');
    expect(body).toContain('<a href="/api/v2/services">/api/v2/services</a>');
    expect(body).toContain('<code>GET /api/v2/trace/{id}</code>');
    expect(body).toContain('<a href="/">');
    expect(headers?.['Content-Security-Policy']).toContain("default-src 'none'");
  });

  it("is no script, whatever the path's writer would like", () => {
    const { body } = inBrowser('/<script>alert("1")</script>&');
    expect(body).not.toContain('<script');
    expect(body).toContain('/&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;');
  });

  it('says that an address takes data, with the status that Zipkin gives on its paths and 405 elsewhere', () => {
    const spans = inBrowser('/api/v2/spans');
    expect([spans.status, spans.headers?.['Allow']]).toEqual([404, undefined]);
    expect(spans.body).toContain('takes POST only');
    const reload = inBrowser('/-/reload');
    expect([reload.status, reload.headers?.['Allow'], reload.headers?.['Vary']]).toEqual([405, 'POST', 'Accept']);
  });
});

describe('what a program is told where nothing is', () => {
  it('is 405 where Zipkin has no API but a fixed answer', () => {
    const { status, headers } = answerNotFound({ method: 'PUT', path: '/info', wantsHtml: false }, routes);
    expect([status, headers?.['Allow']]).toEqual([405, 'GET']);
  });

  it('is a sentence and the nearest routes, as plain text', () => {
    const answer = answerNotFound({ method: 'GET', path: '/api/v2/servces', wantsHtml: false }, routes);
    expect(answer).toMatchObject({ status: 404, body: expect.stringMatching(/^there is no \/api\/v2\/servces here/) });
    expect(answer.contentType).toBeUndefined();
  });

  it('tells those who look for the page of Zipkin or Jaeger that only the API is here', () => {
    const told = (path: string, wantsHtml = false) =>
      String(answerNotFound({ method: 'GET', path, wantsHtml }, routes).body);
    for (const path of ['/zipkin', '/zipkin/', '/zipkin/traces/5af7183fb1d4cf5f']) {
      expect(told(path)).toContain("Zipkin's page is no part of Trawl");
      expect(told(path, true)).toContain('page is no part of Trawl, its API is');
    }
    for (const path of ['/search', '/trace/5af7183fb1d4cf5f']) expect(told(path)).toContain("Jaeger's page is no part");
    for (const path of ['/zipkin/api/v2/nothing', '/zipkins', '/traces'])
      expect(told(path)).not.toContain('is no part');
  });

  it('says which of OTLP’s signals are taken to who sends one that is not', () => {
    for (const path of ['/v1/logs', '/otel/v1/logs']) {
      const { status, body } = answerNotFound({ method: 'POST', path, wantsHtml: false }, routes);
      expect(status).toBe(404);
      expect(body).toContain('logs over OTLP are not taken here; traces are, on POST /v1/traces, and metrics, on POST');
    }
  });
});
