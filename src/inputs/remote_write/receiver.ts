/** One request of remote write: its body as a batch, and what is answered. */
import { CodecError } from '../../codec/codec-error.ts';
import {
  createWriteDecoder,
  type DecodedWrite,
  type LeftOut,
  stepBytes,
  TooManySamplesError,
} from '../../codec/remote-write/decode-write-request.ts';
import { createSnappyDecoder, SnappySizeError } from '../../codec/remote-write/snappy-block.ts';
import type { Accept, Outcome } from '../../model/batch.ts';
import type { Host } from '../../pipeline/component.ts';
import type { IngestRequest, IngestResponse } from '../../pipeline/ingest-route.ts';
import type { LossReason } from '../../pipeline/meter.ts';
import { reasonOf, retryResponse } from '../../pipeline/refusal.ts';
import { createStepRunner } from '../../pipeline/step-runner.ts';
import type { RemoteWriteInputConfig } from './config.ts';

/** Of the labels by whose bytes series are known: about 240,000 with twelve labels each. */
export const maxKnownBytes = 128 * 1024 * 1024;
const kept: IngestResponse = { status: 204 };

/** Prometheus' own words, by which its users look for what is wrong. */
const prometheusWords: Readonly<Partial<Record<LossReason, string>>> = {
  older_than_retention: 'too old sample',
  too_far_ahead: 'out of bounds',
};

function sentenceOf({ what, reason, count }: LeftOut): string {
  return `${reason} (${count} ${count === 1 ? what.slice(0, -1) : what})`;
}

/** Makes what answers the requests of one block of the input. */
export function createReceiver(config: RemoteWriteInputConfig, host: Host, accept: Accept) {
  const inflate = createSnappyDecoder();
  const { max_samples: maxSamples, tags } = config;
  const decode = createWriteDecoder({ maxSamples, maxKnownBytes, tags });
  const runner = createStepRunner();

  const refuse = (status: number, reason: LossReason, message: string): IngestResponse => {
    // How many samples a body held that cannot be read is not known: it counts as one.
    host.meter.refused(host.name, 'samples', reason, 1, message);
    return { status, body: `${message}\n` };
  };

  const read = ({ body, signal }: IngestRequest): DecodedWrite | Promise<DecodedWrite> => {
    const inflated = inflate(body, config.inflated_limit);
    // Between two steps the next request is inflated to the same memory.
    const own = inflated.length > stepBytes ? Buffer.from(inflated) : inflated;
    return runner.run(decode(own), { check: () => undefined, signal });
  };

  /** What was not kept, in a form that a person finds in the sender's log. */
  const answer = ({ leftOut, samples }: DecodedWrite, outcome: Outcome): IngestResponse => {
    const sentences: string[] = [];
    let keptSamples = samples;
    if (outcome.kind === 'rejected') {
      keptSamples -= outcome.count;
      const words = prometheusWords[reasonOf(outcome.cause)];
      sentences.push(words === undefined ? outcome.cause.message : `${words}: ${outcome.cause.message}`);
    }
    for (const each of leftOut) {
      const sentence = sentenceOf(each);
      host.meter.refused(host.name, 'samples', 'malformed', each.count, sentence);
      // As with Prometheus, an exemplar is nothing that a request fails for.
      if (each.what !== 'exemplars') sentences.push(sentence);
    }
    if (sentences.length === 0) return kept;
    const were = keptSamples === 1 ? 'sample of this request was' : 'samples of this request were';
    return { status: 400, body: `${sentences.join('; ')}; ${keptSamples} ${were} kept\n` };
  };

  return async (request: IngestRequest): Promise<IngestResponse> => {
    let decoded: DecodedWrite;
    try {
      const reading = read(request);
      decoded = reading instanceof Promise ? await reading : reading;
    } catch (error) {
      if (error instanceof SnappySizeError) return refuse(413, 'body_too_large', error.message);
      if (error instanceof TooManySamplesError) return refuse(413, 'over_limit', error.message);
      if (error instanceof CodecError) return refuse(400, 'malformed', error.message);
      if (!request.signal.aborted) throw error;
      return refuse(503, 'overloaded', 'the sender left, or its time was over, before its samples were decoded');
    }
    const { items, metadata, exemplars } = decoded;
    const isEmpty = items.length === 0 && metadata.length === 0 && exemplars.length === 0;
    const outcome: Outcome = isEmpty
      ? { kind: 'kept' }
      : await accept({ signal: 'samples', items, metadata, exemplars }, request.signal);
    // A request that is repeated would count what was left out again.
    return outcome.kind === 'retry' ? retryResponse(outcome) : answer(decoded, outcome);
  };
}
