import { describe, expect, it } from 'vitest';
import { assertStandsMutants } from '../../../test/contract/decoder-kit.ts';
import { otlpJson, otlpProtobuf } from '../../../test/contract/otlp-decoders.ts';

describe('the decoders of OTLP', () => {
  it.each([otlpProtobuf, otlpJson])('stand 10,000 mutants: $name', (decoder) => {
    const { accepted, refused } = assertStandsMutants(decoder, { mutants: 10_000, seed: 4318 });
    expect(accepted).toBeGreaterThan(100);
    expect(refused).toBeGreaterThan(1000);
  });
});
