import { describe, expect, it } from 'vitest';
import { findCorrelation, noCorrelation } from './correlation.ts';

const trace = '463ac35c9f6413ad48485a3953bb6124';
const span = '48485a3953bb6124';
const request = '23a37732-e001-9302-b72f-284faaf8f7cc';

describe('what ties a log line to a trace', () => {
  it.each([
    `{"level":"info","traceId":"${trace}","spanId":"${span}"}`,
    `{"trace_id": "${trace}", "span_id": "${span}"}`,
    `{"trace.id":"${trace}","span.id":"${span}"}`,
    `{"otelTraceID":"${trace}","otelSpanID":"${span}"}`,
    `{"log":"{\\"traceId\\":\\"${trace}\\",\\"spanId\\":\\"${span}\\"}"}`,
    `{"headers":{"traceparent":"00-${trace}-${span}-01"}}`,
    `{"x-b3-traceid":"${trace}","x-b3-spanid":"${span}","x-b3-parentspanid":"0000000000000001"}`,
    `level=info trace_id=${trace} span_id=${span} parent_span_id=0000000000000001 msg="done"`,
    `X-B3-TraceId: ${trace.toUpperCase()} X-B3-SpanId: ${span.toUpperCase()}`,
    `b3=${trace}-${span}-1`,
    `[app] traceId=${trace}, spanId=${span} done`,
  ])('is found in %s', (line) => {
    expect(findCorrelation(line)).toEqual({ traceId: trace, spanId: span, requestId: '' });
  });

  it('pads 64-bit trace ids', () => {
    expect(findCorrelation(`traceId=${span}`).traceId).toBe(span.padStart(32, '0'));
  });

  it('is Envoy’s request id in Istio’s access log, as text and as JSON', () => {
    const line = `[2025-05-04T17:22:18.230Z] "GET /details/0 HTTP/1.1" 200 - via_upstream - "-" 0 178 151 124 "-" "Mozilla/5.0 "quoted"" "${request}" "details:9080" "10.244.1.14:9080" outbound|9080||details.default.svc.cluster.local 10.244.2.19:38918 10.96.94.35:9080 10.244.2.19:39068 - default`;
    expect(findCorrelation(line)).toEqual({ traceId: '', spanId: '', requestId: request });
    expect(findCorrelation(`{"method":"GET","request_id":"${request}"}`).requestId).toBe(request);
    expect(findCorrelation(`x-request-id: ${request.toUpperCase()}`).requestId).toBe(request);
  });

  it.each([
    'GET /reviews/0 200',
    `{"traceId":"${'0'.repeat(32)}"}`,
    `{"traceId":"${trace}0"}`,
    `{"traceId":"123"}`,
    `traceId=${trace}xyz`,
    `backtraceid=${trace}`,
    `parent_span_id=${span}`,
    `request_id=not-a-uuid-at-all`,
    `[2025-05-04T17:22:18.230Z] "- - -" 0 - - - "-" 1 2 3 - "-" "-" "-" "-" "10.0.0.1:9000" outbound|9000|v1| - -`,
  ])('is not seen in %s', (line) => {
    expect(findCorrelation(line)).toEqual(noCorrelation);
  });

  it('takes time in proportion to the length of a hostile line', () => {
    const pieces = [
      'traceid',
      'traceid   ',
      'traceid="',
      `"${request}" `,
      `" "`,
      'traceparent=0',
      '\\\\\\',
      'a-',
      `traceid=${'a'.repeat(79)}z`,
    ];
    for (const piece of pieces) {
      const line = `[ " "race${piece.repeat(Math.ceil(1_000_000 / piece.length))}x`;
      const start = performance.now();
      findCorrelation(line);
      // Quadratic would be minutes.
      expect(performance.now() - start).toBeLessThan(5000);
    }
  });
});
