import { describe, expect, it } from 'vitest';
import { bookinfo, type SpanSketch, sketchTrace } from '../../test/fixtures/sketched-trace.ts';
import type { Span } from '../model/span.ts';
import { widthOf } from './cells.ts';
import { screenOf } from './screen.ts';
import { drawTrace, type WaterfallOptions } from './waterfall.ts';

const quiet = { out: () => undefined, error: () => undefined };
const utf8 = { LANG: 'C.UTF-8' };
const plainScreen = (columns = 80) => screenOf({ ...quiet, environment: utf8 }, columns);
const draw = (spans: readonly Span[], options: Partial<WaterfallOptions> = {}) =>
  drawTrace(spans, { screen: plainScreen(), ...options });
const drawSketches = (...sketches: SpanSketch[]) => draw(sketchTrace(...sketches));

describe('the picture of a trace', () => {
  it('shows who called whom, when, for how long, what failed, and what the end waited for', () => {
    expect(draw(bookinfo()).join('\n')).toBe(
      `
productpage get /productpage
2026-11-20 14:23:07.123 UTC · 412.3 ms · 11 spans · 4 services · 4 errors
trace 463ac35c9f6413ad48485a3953bb6124

                                0            206.2 ms    412.3 ms
productpage get /productpage   ●█░░░░░░░░░░░█░░░░░░░░░░░░░░░░░░░█ 412.3 ms
├ productpage → get /details/0 ●█░                                 14.2 ms
│ └ details get /details/0     ● █                                 12.4 ms
├ productpage → get /reviews/0 ●  ░░░░░░░░░░                      120.7 ms ✗ 503
│ └ reviews get /reviews/0     ●  █░░░░░░░░█                      118.9 ms ✗ 503
│   └ reviews → get /ratings/0 ●   ░░░░░░░░░                      100.1 ms ✗ 503
│     └ ratings get /ratings/0 ●   █████████                       98.0 ms ✗ 503
└ productpage → get /reviews/0 ●            █░░░░░░░░░░░░░░░░░░░  238.0 ms
  └ reviews get /reviews/0     ●            ██░░░░░░░░░░░░░░░░██  235.1 ms
    └ reviews → get /ratings/0 ●              ░░░░░░░░░░░░░░░░    190.6 ms
      └ ratings get /ratings/0 ●              ████████████████    188.0 ms

● █ the critical path, which the end waited for; ░ the rest. Its longest parts:
   69 %  286.0 ms  ratings get /ratings/0 (2 spans)
   15 %   63.3 ms  reviews get /reviews/0 (2 spans)
   10 %   39.4 ms  productpage get /productpage
    3 %   12.4 ms  details get /details/0
    1 %   4.70 ms  productpage → get /reviews/0 (2 spans)
`.trim(),
    );
  });

  it('writes an id of 64 bits with 16 digits, as the list of traces and Zipkin do', () => {
    const spans = bookinfo().map((span) => ({ ...span, traceId: '0'.repeat(16) + span.traceId.slice(16) }));
    expect(draw(spans)[2]).toBe('trace 48485a3953bb6124');
  });

  it('fits the width, whatever it is and whatever the names are', () => {
    const long = bookinfo().map((span) => ({ ...span, name: `${span.name} 評価🐟 ${'long '.repeat(40)}` }));
    for (const columns of [40, 61, 80, 133, 250]) {
      const lines = draw([...bookinfo(), ...long], { screen: plainScreen(columns), tags: 'all' });
      const bars = lines.filter((line) => /[█░]/.test(line) || line.startsWith('  '));
      expect(
        Math.max(...bars.filter((line) => !line.startsWith('●')).map(widthOf)),
        `${columns} columns`,
      ).toBeLessThanOrEqual(columns);
    }
  });

  it('is drawn in ASCII where the locale has no more', () => {
    const screen = screenOf({ ...quiet, environment: { LC_ALL: 'C', LANG: 'C.UTF-8' } });
    const spans = [
      ...bookinfo(),
      ...sketchTrace({ id: 20, parent: 1, name: 'žlutý', kind: 'PRODUCER', start: 1, duration: 0.4 }),
    ];
    const text = draw(spans, { screen }).join('\n');
    expect(text).toMatch(/^[\n -~]*$/);
    expect(text).toContain('| productpage -> get /details/0');
    expect(text).toContain('400 us');
    expect(text).toContain('>> ?lut?');
    expect(text).toContain('! 503');
  });

  it('has colours only for a person who wants them', () => {
    const screens = (environment: Record<string, string>, isTty: boolean) =>
      screenOf({ ...quiet, environment: { ...utf8, ...environment }, isTty, columns: 100 });
    const isColoured = (screen: ReturnType<typeof screenOf>) =>
      draw(bookinfo(), { screen }).join('').includes('\u001b[');
    expect(isColoured(screens({}, true))).toBe(true);
    expect(isColoured(screens({ NO_COLOR: '1' }, true))).toBe(false);
    expect(isColoured(screens({ NO_COLOR: '' }, true))).toBe(true);
    expect(isColoured(screens({ TERM: 'dumb' }, true))).toBe(false);
    expect(isColoured(screens({}, false))).toBe(false);
    expect(screens({}, true).width).toBe(100);
    expect(screens({}, false).width).toBe(80);
  });

  it('prints nothing of a name that a terminal would obey', () => {
    const nasty = '\u001b]0;owned\u0007\n\u202e\u0000';
    const text = draw(sketchTrace({ id: 1, service: nasty, name: nasty, tags: { [nasty]: nasty }, error: true }), {
      tags: 'all',
    }).join('\n');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there.
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    expect(text.split('\n').filter((line) => line.includes('owned'))).toHaveLength(4);
  });

  it('prints the tags that were asked for below their span, or all with the annotations', () => {
    const spans = sketchTrace({ id: 1, tags: { 'http.method': 'GET', error: 'no route' } });
    expect(draw(spans, { tags: ['error', 'nothing'] }).filter((line) => line.includes('='))).toEqual([
      '  error=no route',
    ]);
    const events = spans.map((span) => ({
      ...span,
      events: [{ timestampUs: (span.startUs ?? 0) + 400, value: 'retry' }],
    }));
    expect(draw(events, { tags: 'all' }).filter((line) => /^ {2}[+a-z]/.test(line))).toEqual([
      '  error=no route',
      '  http.method=GET',
      '  +400 µs retry',
    ]);
  });

  it("calls a mesh's services by their short names, and its spans by what was asked for", () => {
    const [span] = sketchTrace({
      id: 1,
      service: 'reviews.default',
      name: 'reviews.default.svc.cluster.local:9080/*',
      kind: 'SERVER',
      tags: { 'http.url': 'http://reviews:9080/reviews/0?user=jo' },
    });
    if (span === undefined) throw new Error('no span');
    const resource = { ...span.resource, service: 'reviews', namespace: 'default' };
    expect(draw([{ ...span, resource }])[0]).toBe('reviews :9080/reviews/0');
    const other = {
      ...span,
      id: '2222222222222222',
      resource: { ...resource, namespace: 'shop' },
      localEndpoint: { serviceName: 'reviews.shop', ipv4: undefined, ipv6: undefined, port: undefined },
    };
    expect(draw([{ ...span, resource }, other])[0]).toBe('reviews.default reviews:9080/reviews/0');
  });

  it('says what a reader must know: moved clocks, missing callers, rings, times that are not there', () => {
    const lines = drawSketches(
      { id: 1, service: 'a', kind: 'CLIENT', duration: 100 },
      { id: 2, parent: 1, service: 'b', kind: 'SERVER', start: -5000, duration: 80 },
      { id: 3, parent: 99, service: 'c', start: 5 },
      { id: 4, parent: 5, service: 'd', start: 6 },
      { id: 5, parent: 4, service: 'd', start: 7 },
    );
    expect(lines).toContain('Clocks differ; moved into their calls: b by +5.01 s');
    expect(lines).toContain('? 1 span without the caller: not reported, sampled out, or still on the way');
    expect(lines.some((line) => line.startsWith('? c span 3 '))).toBe(true);
    expect(lines.some((line) => line.startsWith('@ d span 4 '))).toBe(true);
    const [timed, other] = sketchTrace({ id: 1 }, { id: 2, parent: 1 });
    if (timed === undefined || other === undefined) throw new Error('no spans');
    expect(draw([timed, { ...other, startUs: undefined }])).toContain('1 span without a time');
  });

  it('says in words that no span has a time, or a duration, and draws no bars then', () => {
    const spans = sketchTrace({ id: 1 }, { id: 2, parent: 1 });
    const untimed = draw(spans.map((span) => ({ ...span, startUs: undefined, durationUs: undefined })));
    expect(untimed[1]).toBe('no span says when it began · 2 spans · 1 service · no error');
    expect(untimed.join('\n')).not.toMatch(/[█░]|0 µs/);
    const instant = draw(spans.map((span) => ({ ...span, startUs: 1_795_000_000_000_000, durationUs: undefined })));
    expect(instant[1]).toContain(' UTC · no duration · 2 spans');
  });

  it('shows what an exception said below its span, and with all tags its stack, a line a frame', () => {
    const value =
      '"exception": {"exception.type":"TimeoutError","exception.message":"no answer from reviews","exception.stacktrace":"at call (a.js:1)\\n    at page (b.js:2)\\n"}';
    const spans = sketchTrace({ id: 1, error: true }).map((span) => ({
      ...span,
      events: [{ timestampUs: (span.startUs ?? 0) + 400, value }],
    }));
    expect(draw(spans)).toContain('  TimeoutError: no answer from reviews');
    const lines = draw(spans, { tags: 'all' });
    const at = lines.indexOf('  +400 µs exception');
    expect(lines.slice(at, at + 5)).toEqual([
      '  +400 µs exception',
      '    exception.type=TimeoutError',
      '    exception.message=no answer from reviews',
      '    exception.stacktrace=at call (a.js:1)',
      '      at page (b.js:2)',
    ]);
  });

  it('is cut to the spans that tell most, says how many there are and how to see them', () => {
    const crowd = Array.from({ length: 10_000 }, (_, i) => ({
      id: i + 100,
      parent: 9,
      service: 'reviews',
      start: 170 + i / 1_000,
      duration: 0.1,
    }));
    const failed = {
      id: 99,
      parent: 9,
      service: 'reviews',
      name: 'the one that failed',
      start: 170,
      duration: 0.01,
      error: true,
    };
    const lines = draw([...bookinfo(), ...sketchTrace(...crowd, failed)], {
      limit: 50,
      allCommand: 'trawl query trace ID --all',
    });
    expect(lines.length).toBeLessThan(70);
    expect(lines.some((line) => line.includes('the one that failed'))).toBe(true);
    expect(lines.filter((line) => line.includes('ratings get /ratings/0'))).toHaveLength(3);
    expect(lines.some((line) => line.includes('└ … 9,962 spans not shown'))).toBe(true);
    expect(lines).toContain('50 of 10,012 spans are drawn: the path, errors, the longest; +N: N more below');
    const wide = draw(
      sketchTrace({ id: 1 }, ...crowd.map((span) => ({ ...span, parent: span.id === 100 ? 1 : 100 }))),
      {
        limit: 2,
      },
    );
    expect(wide.find((line) => line.includes('span 100'))).toContain(' +9,999 ');
    expect(lines.at(-1)).toBe('All of them:  trawl query trace ID --all');
  });
});
