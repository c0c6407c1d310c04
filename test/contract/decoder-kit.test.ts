import { describe, expect, it } from 'vitest';
import { CodecError } from '../../src/codec/codec-error.ts';
import { assertStandsMutants, type DecoderUnderTest, makeMutants, runMutants } from './decoder-kit.ts';
import { decoders } from './decoders.ts';

const strict: DecoderUnderTest = {
  name: 'strict',
  validMessages: [Buffer.from('{"a":1}'), Buffer.from('[1,2,3]')],
  tokens: ['"', '{'],
  decode(message) {
    try {
      return JSON.parse(message.toString());
    } catch (error) {
      throw new CodecError('no JSON', { cause: error });
    }
  },
};

describe('the mutants', () => {
  it('are the same for the same seed, and others for another', () => {
    const make = (seed: number) =>
      [...makeMutants(strict, { mutants: 200, seed })].map((mutant) => mutant.toString('hex'));
    expect(make(1)).toEqual(make(1));
    expect(make(1)).not.toEqual(make(2));
  });

  it('leave a decoder alone that throws its own error only', () => {
    const report = assertStandsMutants(strict, { mutants: 500, seed: 1 });
    expect(report.accepted + report.refused).toBe(500);
    expect(report.refused).toBeGreaterThan(100);
  });

  it('find an error that is not the codec’s, with the message that caused it', () => {
    const careless = { ...strict, decode: (message: Buffer) => JSON.parse(message.toString()) };
    expect(() => assertStandsMutants(careless, { mutants: 500, seed: 1 })).toThrow(
      /careless|strict, seed 1: .*wrong_error SyntaxError/s,
    );
  });

  it('find what is slow', () => {
    const slow = {
      ...strict,
      decode: () => {
        for (const end = performance.now() + 5; performance.now() < end; );
      },
    };
    expect(runMutants(slow, { mutants: 3, seed: 1, limitMs: 2 }).findings).toBe(3);
  });

  it('start from messages that every decoder takes', () => {
    for (const decoder of decoders) for (const message of decoder.validMessages) decoder.decode(message);
  });
});
