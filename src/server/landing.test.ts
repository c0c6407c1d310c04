import { describe, expect, it } from 'vitest';
import { type Landing, landingPage, landingText } from './landing.ts';

const landing: Landing = {
  version: '1.2.3',
  host: '127.0.0.1:4318',
  addresses: [
    { url: 'http://127.0.0.1:9529', host: '127.0.0.1', port: 9529, paths: 'all' },
    { url: 'http://127.0.0.1:4318', host: '127.0.0.1', port: 4318, paths: ['/v1/traces'] },
  ],
  paths: ['/v1/traces'],
};

describe('the page at an address', () => {
  it('says to send the first span where it is taken, not to an address that takes OTLP alone', () => {
    for (const page of [landingText(landing), landingPage(landing)]) {
      expect(page).toContain('curl http://127.0.0.1:9529/api/v2/spans');
      expect(page).toContain('http://127.0.0.1:9529/api/v2/trace/463ac35c9f6413ad');
      expect(page).not.toContain('4318');
    }
  });

  it('stays at the address that was asked where that serves everything', () => {
    const whole: Landing = { ...landing, host: 'trawl.example:9529', paths: 'all' };
    expect(landingText(whole)).toContain('curl http://trawl.example:9529/api/v2/spans');
    expect(landingPage(whole)).toContain('<a href="/api/v2/trace/463ac35c9f6413ad">');
  });

  it('links what an operator asks for, each at the listener that serves it', () => {
    const whole: Landing = { ...landing, host: 'trawl.example:9529', paths: 'all' };
    for (const name of ['targets', 'topology', 'measurements', 'promql/explain?query=up']) {
      expect(landingPage(whole)).toContain(`<a href="/api/trawl/${name}">/api/trawl/${name}</a>`);
      expect(landingPage(landing)).toContain(`<a href="http://127.0.0.1:9529/api/trawl/${name}">`);
      expect(landingText(whole)).toContain(`http://trawl.example:9529/api/trawl/${name}  `);
    }
    const query: Landing = { ...whole, paths: ['/api/v1/query', '/api/trawl/promql/explain'] };
    expect(landingPage(query)).toContain('<a href="/api/v1/query?query=up">');
    expect(landingPage(query)).toContain('<a href="/api/trawl/promql/explain?query=up">');
  });

  it('says how metrics come here and how Grafana asks, each at the listener that serves it', () => {
    const whole: Landing = { ...landing, host: 'trawl.example:9529', paths: 'all' };
    for (const page of [landingText(whole), landingPage(whole)]) {
      expect(page).toContain('- url: http://trawl.example:9529/api/v1/write');
      expect(page).toContain('[[inputs.prom]]');
      expect(page).toContain('a data source of type Prometheus with the URL http://trawl.example:9529');
      expect(page).toContain('one of type Jaeger or Zipkin with the URL http://trawl.example:9529');
      expect(page).toContain('Authorization: Bearer TOKEN');
    }
    for (const page of [landingText(landing), landingPage(landing)]) {
      expect(page).toContain('- url: http://127.0.0.1:9529/api/v1/write');
      expect(page).toContain('Prometheus with the URL http://127.0.0.1:9529');
    }
    expect(landingPage(whole)).toMatch(/<h2>Send metrics<\/h2>[\s\S]*<h2>Ask<\/h2>[\s\S]*<h2>Ask from Grafana<\/h2>/);
  });
});
