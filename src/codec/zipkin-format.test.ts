import { describe, expect, it } from 'vitest';
import { CodecError } from './codec-error.ts';
import { checkListFormat, detectListFormat, type ZipkinFormat } from './zipkin-format.ts';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

function refusal(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(CodecError);
    return error instanceof Error ? error.message : '';
  }
  return 'taken';
}

describe('the format of a list of which nothing is known', () => {
  it.each<[string, ZipkinFormat]>([
    ['[{"traceId":"1","id":"1","localEndpoint":{}}]', 'JSON_V2'],
    ['[{"traceId":"1","id":"1","tags":{}}]', 'JSON_V2'],
    [`[{"name":"${'tags\\"'.repeat(1000)}","tags":{}}]`, 'JSON_V2'],
    [`[{"name":"my${'tags\\"'.repeat(1000)}","mytags":{}}]`, 'JSON_V1'],
    ['[{"traceId":"1","id":"1","binaryAnnotations":[]}]', 'JSON_V1'],
    ['[]', 'JSON_V1'],
    ['\x0a\x10', 'PROTO3'],
    ['\x0c\0\0\0\x01', 'THRIFT'],
    ['\x0b\0\0\0\x01', 'THRIFT'],
  ])('of %j is %s', (text, format) => {
    expect(detectListFormat(bytes(text))).toBe(format);
  });

  it.each([
    ['\x0a\0\x01', 'Expected json, proto3 or thrift list encoding'],
    ['\x0a', 'Expected json, proto3 or thrift list encoding'],
    ['{}', 'Expected json, proto3 or thrift list encoding'],
    ['\x80', 'Expected json, proto3 or thrift list encoding'],
    ['x', 'Could not detect the span format'],
    ['', 'Expected json, proto3 or thrift list encoding'],
  ])('of %j cannot be told', (text, message) => {
    expect(refusal(() => detectListFormat(bytes(text)))).toBe(message);
  });
});

describe('a body that is not what its route takes', () => {
  it.each<[ZipkinFormat, string, string]>([
    ['JSON_V1', '{', 'Expected a JSON_V1 encoded list\n'],
    ['JSON_V2', '\x1f\x8b\x08', 'Expected a JSON_V2 encoded list\n'],
    ['THRIFT', '\x0a\0\x01', 'Expected a THRIFT encoded list\n'],
    ['PROTO3', 'x', 'Expected a PROTO3 encoded list\n'],
    ['JSON_V2', '[{"binaryAnnotations":[]}]', 'Expected a JSON_V2 encoded list, but received: JSON_V1\n'],
    ['JSON_V1', '[{"localEndpoint":{}}]', 'Expected a JSON_V1 encoded list, but received: JSON_V2\n'],
    ['JSON_V1', '[{"tags":{}}]', 'Expected a JSON_V1 encoded list, but received: JSON_V2\n'],
  ])('is refused as %s in Zipkin’s words: %j', (expected, text, message) => {
    expect(refusal(() => checkListFormat(bytes(text), expected))).toBe(message);
  });

  it('passes where the two versions cannot be told apart, and as a list of another binary format', () => {
    for (const text of ['[{"traceId":"1","id":"1","name":"a"}]', '\x0c\0\0\0\0', '\x0a\x01']) {
      for (const expected of ['JSON_V1', 'JSON_V2', 'THRIFT', 'PROTO3'] as const) {
        expect(refusal(() => checkListFormat(bytes(text), expected))).toBe('taken');
      }
    }
  });
});
