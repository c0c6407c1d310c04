import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { driftedCodecs, generateCodec } from './generate-codecs.ts';

describe('what is generated from .proto files', () => {
  it('is on disk as they say; npm run codecs writes it anew', async () => {
    expect(await driftedCodecs(join(import.meta.dirname, '..'))).toEqual([]);
  });

  it('says which field it has no code for', () => {
    const proto = (field: string) => `syntax = "proto3"; message Odd { ${field} }`;
    expect(() => generateCodec('odd.proto', proto('float ratio = 1;'))).toThrow('.Odd.ratio: fields of type float');
    expect(() => generateCodec('odd.proto', proto('repeated float sizes = 1;'))).toThrow(
      '.Odd.sizes: fields of type float',
    );
  });
});
