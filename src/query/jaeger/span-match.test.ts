import { describe, expect, it } from 'vitest';
import { decodeJsonSpans } from '../../codec/otlp/decode-spans.ts';
import { decodeSpans } from '../../codec/zipkin-v2-json/decode-spans.ts';
import { toOtlpTrace } from './otlp-trace.ts';
import type { SpanQuery } from './search-parameters.ts';
import { hasMatch, predicateOf } from './span-match.ts';

const startNs = 1_750_000_000_000_000_000n;
const text = (key: string, value: string) => ({ key, value: { stringValue: value } });

const otlp = toOtlpTrace(
  decodeJsonSpans(
    Buffer.from(
      JSON.stringify({
        resourceSpans: [
          {
            resource: { attributes: [text('service.name', 'Shop'), text('host', 'n1')] },
            scopeSpans: [
              {
                scope: { name: 'lib', version: '2', attributes: [text('scoped', 's')] },
                spans: [
                  {
                    traceId: '5b8efff798038103d269b633813fc60c',
                    spanId: '00000000000000a1',
                    name: 'GET /Cart',
                    kind: 2,
                    startTimeUnixNano: String(startNs),
                    endTimeUnixNano: String(startNs + 1_500n),
                    status: { code: 2 },
                    attributes: [
                      text('k', 'v'),
                      { key: 'n', value: { intValue: '7' } },
                      { key: 'f', value: { doubleValue: 12.5 } },
                      { key: 'b', value: { boolValue: true } },
                      { key: 'l', value: { arrayValue: { values: [{ intValue: '1' }] } } },
                    ],
                    events: [{ timeUnixNano: '1', name: 'e', attributes: [text('evented', 'e')] }],
                    links: [
                      {
                        traceId: '5b8efff798038103d269b633813fc60d',
                        spanId: '00000000000000a2',
                        attributes: [text('linked', 'l')],
                      },
                    ],
                  },
                  {
                    traceId: '5b8efff798038103d269b633813fc60c',
                    spanId: '00000000000000a3',
                    name: 'other',
                    startTimeUnixNano: String(startNs),
                    endTimeUnixNano: String(startNs + 9_000n),
                    attributes: [text('only', 'here')],
                  },
                ],
              },
            ],
          },
        ],
      }),
    ),
  ).spans,
);

const zipkin = toOtlpTrace(
  decodeSpans(
    Buffer.from(
      JSON.stringify([
        {
          traceId: 'a1',
          id: 'a1',
          kind: 'SERVER',
          timestamp: Number(startNs / 1000n),
          localEndpoint: { serviceName: 'Web', ipv4: '10.0.0.1', port: 80 },
          remoteEndpoint: { serviceName: 'caller' },
          tags: { 'http.status_code': '500', t: 'x' },
        },
      ]),
    ),
  ),
);

const asked = (fields: Partial<SpanQuery>): SpanQuery => ({
  service: '',
  operation: '',
  startNs: startNs - 1n,
  endNs: startNs + 1n,
  minDurationNs: 0n,
  maxDurationNs: 0n,
  tags: new Map(),
  ...fields,
});

const tags = (...pairs: readonly (readonly [string, string])[]): SpanQuery => asked({ tags: new Map(pairs) });

describe("Jaeger's search of one span", () => {
  it.each<[string, SpanQuery]>([
    ['nothing', asked({})],
    ['service and operation', asked({ service: 'Shop', operation: 'GET /Cart' })],
    ['its very start', asked({ startNs, endNs: startNs })],
    ['its very duration', asked({ minDurationNs: 1_500n, maxDurationNs: 1_500n })],
    ['a text', tags(['k', 'v'])],
    ['an integer, a double and truth', tags(['n', '7'], ['f', '12.5'], ['b', 'true'])],
    ['a list', tags(['l', '[1]'])],
    ['the resource', tags(['host', 'n1'])],
    ['the resource by name', tags(['resource.host', 'n1'])],
    ['the scope', tags(['scoped', 's'])],
    ['an event', tags(['evented', 'e'])],
    ['a link', tags(['linked', 'l'])],
    ['kind and status', tags(['span.kind', 'server'], ['span.status', 'error'], ['error', 'true'])],
    ['name and version of the scope', tags(['scope.name', 'lib'], ['scope.version', '2'])],
    ['no error, which the other span is not', tags(['error', 'false'])],
    ['no status, which the other span has', tags(['span.status', 'unset'])],
    ['a span of no kind', tags(['span.kind', 'unspecified'])],
  ])('takes %s', (_what, query) => {
    expect(hasMatch(otlp, query)).toBe(true);
    expect(predicateOf(query)).toBeDefined();
  });

  it.each<[string, SpanQuery]>([
    ['another case of a name', asked({ service: 'shop' })],
    ['another case of an operation', asked({ operation: 'get /cart' })],
    ['a window before', asked({ endNs: startNs - 1n })],
    ['a window behind', asked({ startNs: startNs + 1n })],
    ['a nanosecond more', asked({ operation: 'GET /Cart', minDurationNs: 1_501n })],
    ['a nanosecond less', asked({ operation: 'GET /Cart', maxDurationNs: 1_499n })],
    ['another value', tags(['k', 'V'])],
    ['what two spans have together', tags(['k', 'v'], ['only', 'here'])],
    ['a tag of the span in the resource', tags(['resource.k', 'v'])],
    ['another scope', tags(['scope.name', 'x'])],
  ])('refuses %s', (_what, query) => {
    expect(hasMatch(otlp, query)).toBe(false);
  });

  it.each<[string, SpanQuery]>([
    ['an end before the start', asked({ startNs: 2n, endNs: 1n })],
    ['an error that is neither true nor false', tags(['error', 'maybe'])],
    ['a duration below nothing', asked({ maxDurationNs: -1n })],
  ])('does not ask the store for %s', (_what, query) => {
    expect(predicateOf(query)).toBeUndefined();
  });

  it('finds Zipkin spans by what their translation says', () => {
    for (const [key, value] of [
      ['t', 'x'],
      ['network.local.address', '10.0.0.1'],
      ['net.host.port', '80'],
      ['peer.service', 'caller'],
      ['resource.service.name', 'Web'],
      ['span.kind', 'server'],
      // HTTP 500 alone is no error there.
      ['error', 'false'],
      ['scope.name', ''],
    ] as const) {
      expect([key, hasMatch(zipkin, tags([key, value]))]).toEqual([key, true]);
    }
    expect(hasMatch(zipkin, tags(['error', 'true']))).toBe(false);
  });

  it('asks the store for names as they are spelled, and for what has none by the names of Jaeger', () => {
    expect(predicateOf(asked({ service: 'Web', operation: 'empty-span-name' }))).toEqual([
      { kind: 'localService', text: 'Web', isFolded: false },
      {
        kind: 'any',
        of: [
          { kind: 'name', text: 'empty-span-name', isFolded: false },
          { kind: 'name', text: '', isFolded: false },
        ],
      },
    ]);
    expect(predicateOf(asked({ minDurationNs: 1_999n, maxDurationNs: 2_001n }))).toEqual([
      { kind: 'duration', minUs: 1, maxUs: 2 },
    ]);
  });
});
