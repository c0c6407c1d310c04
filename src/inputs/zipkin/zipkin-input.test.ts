import { describe, expect, it } from 'vitest';
import { createFakeHost, createFakeIntake, realClock } from '../../../test/fixtures/fake-host.ts';
import { toV1Json, toV1Thrift } from '../../../test/fixtures/v1-spans.ts';
import { encodeSpans as encodeProto3 } from '../../codec/zipkin-proto3/encode-spans.ts';
import { decodeSpans } from '../../codec/zipkin-v2-json/decode-spans.ts';
import { zipkinInput } from './index.ts';

const v1 = [
  {
    traceId: '000000000000000a',
    id: '000000000000000b',
    annotations: [{ timestamp: 1, value: 'sr', endpoint: { serviceName: 'a' } }],
  },
];
const v2Json = Buffer.from('[{"traceId":"a","id":"b","localEndpoint":{"serviceName":"a"}}]');
const proto3 = Buffer.from(encodeProto3(decodeSpans(v2Json)));

async function start(config: Readonly<Record<string, unknown>> = {}) {
  const host = createFakeHost({ clock: realClock, name: 'inputs.zipkin' });
  const intake = createFakeIntake();
  const running = await zipkinInput.start(zipkinInput.config.parse(config), host, intake.accept);
  const post = async (path: string, mediaType: string, body: Buffer) => {
    const route = host.ingestRoutes.find((each) => each.path === path);
    if (route === undefined) throw new Error(`no route ${path}`);
    return route.handle({ path, mediaType, body, signal: AbortSignal.timeout(10_000) });
  };
  return { host, intake, running, post };
}

describe('the Zipkin input', () => {
  it.each([
    ['/api/v1/spans', 'application/x-thrift', toV1Thrift(v1)],
    ['/api/v1/spans', 'application/json', toV1Json(v1)],
    ['/api/v1/spans', 'application/xml', toV1Json(v1)],
    ['/api/v1/spans', '', toV1Json(v1)],
    ['/api/v2/spans', 'application/x-protobuf', proto3],
    ['/api/v2/spans', 'application/json', v2Json],
    ['/api/v2/spans', 'application/octet-stream', v2Json],
    ['/api/v2/spans', '', v2Json],
  ])('takes on %s as %j what is in the format, 202 without a body', async (path, mediaType, body) => {
    const { intake, host, post } = await start();
    expect(await post(path, mediaType, body)).toEqual({ status: 202 });
    expect(intake.kept).toMatchObject([{ signal: 'spans', items: [{ localEndpoint: { serviceName: 'a' } }] }]);
    host.close();
  });

  it('answers 202 to an empty body and to an empty list, whatever they are said to be', async () => {
    const { intake, host, post } = await start();
    for (const path of ['/api/v1/spans', '/api/v2/spans']) {
      for (const mediaType of ['application/json', 'application/x-thrift', 'application/x-protobuf']) {
        for (const body of ['', '[]']) expect(await post(path, mediaType, Buffer.from(body))).toEqual({ status: 202 });
      }
    }
    expect(intake.offered).toEqual([]);
    host.close();
  });

  it.each([
    ['/api/v1/spans', 'application/json', v2Json, 'Expected a JSON_V1 encoded list, but received: JSON_V2\n'],
    ['/api/v1/spans', 'application/x-thrift', Buffer.from('{'), 'Expected a THRIFT encoded list\n'],
    ['/api/v2/spans', 'application/x-protobuf', Buffer.from('x'), 'Expected a PROTO3 encoded list\n'],
    [
      '/api/v1/spans',
      'application/x-thrift',
      toV1Thrift(v1).subarray(0, -1),
      'Truncated: length 1 > bytes available 0 at byte 88 reading List<Span> from TBinary',
    ],
    [
      '/api/v1/spans',
      'application/json',
      Buffer.from('[{"traceId":"a","id":"X"}]'),
      'X should be a 1 to 32 character lower-hex string with no prefix at line 1 column 25 path $[0].id reading List<Span> from json',
    ],
  ])(
    'refuses on %s as %s what is not, and counts it with the words it told',
    async (path, mediaType, body, message) => {
      const { intake, host, post } = await start();
      expect(await post(path, mediaType, body)).toEqual({ status: 400, body: message });
      expect(host.meterCalls).toEqual([
        { kind: 'refused', component: 'inputs.zipkin', signal: 'spans', reason: 'malformed', count: 1, why: message },
      ]);
      expect(intake.offered).toEqual([]);
      host.close();
    },
  );

  it('takes nothing of a body of which one span is bad', async () => {
    const { intake, host, post } = await start();
    const body = toV1Thrift([...v1, { traceId: '0000000000000000', id: '000000000000000b' }]);
    expect((await post('/api/v1/spans', 'application/x-thrift', body)).status).toBe(400);
    expect(intake.offered).toEqual([]);
    host.close();
  });

  it('serves the paths that it is given, and leaves none behind', async () => {
    const { host, running, post } = await start({ pathV1: '/old', pathV2: '/new' });
    expect(host.ingestRoutes.map(({ path, isZipkin }) => [path, isZipkin])).toEqual([
      ['/new', true],
      ['/old', true],
    ]);
    expect(running.health().line).toBe("takes Zipkin's spans on POST /old and /new");
    expect((await post('/old', 'application/x-thrift', toV1Thrift(v1))).status).toBe(202);
    await running.stop(AbortSignal.timeout(1000));
    expect(host.ingestRoutes).toEqual([]);
    host.close();
  });

  it('refuses to start with one path for both versions, and with a path that is taken', async () => {
    await expect(start({ pathV1: '/spans', pathV2: '/spans' })).rejects.toThrow('are both /spans');
    const host = createFakeHost({ clock: realClock, name: 'inputs.zipkin' });
    const { accept } = createFakeIntake();
    await zipkinInput.start(zipkinInput.config.parse({ pathV2: '/other' }), host, accept);
    await expect(zipkinInput.start(zipkinInput.config.parse({}), host, accept)).rejects.toThrow('/api/v1/spans');
    expect(host.ingestRoutes.map(({ path }) => path)).toEqual(['/other', '/api/v1/spans']);
    host.close();
  });
});
