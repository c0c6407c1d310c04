/** Takes samples that Prometheus and its kin push (https://prometheus.io/docs/specs/prw/remote_write_spec/, version 1.0). */
import type { InputKind, Running } from '../../pipeline/component.ts';
import type { IngestProblem, IngestRequest, IngestResponse, IngestRoute } from '../../pipeline/ingest-route.ts';
import type { LossReason } from '../../pipeline/meter.ts';
import { type RemoteWriteInputConfig, remoteWriteInputConfig } from './config.ts';
import { createReceiver } from './receiver.ts';

const reasons: Readonly<Record<IngestProblem, LossReason>> = {
  body_too_large: 'body_too_large',
  inflated_too_large: 'body_too_large',
  bad_encoding: 'malformed',
  unsupported_encoding: 'unsupported_encoding',
  body_incomplete: 'malformed',
  overloaded: 'overloaded',
};

/** Why a Content-Type is refused; undefined where it is version 1.0's, or none. */
function typeRefusal({ mediaType, contentType }: IngestRequest): string | undefined {
  if (mediaType !== '' && mediaType !== 'application/x-protobuf') {
    return `expected application/x-protobuf as the Content-Type, got ${JSON.stringify(mediaType.slice(0, 100))}`;
  }
  const proto = /;\s*proto\s*=\s*"?([^;"\s]*)/i.exec(contentType ?? '')?.[1];
  if (proto === undefined || proto === 'prometheus.WriteRequest') return undefined;
  return `${proto.slice(0, 100)} is not taken, prometheus.WriteRequest is: send remote write 1.0`;
}

/** The input `[[inputs.remote_write]]`. */
export const remoteWriteInput: InputKind<RemoteWriteInputConfig> = {
  type: 'remote_write',
  summary: 'Takes samples from Prometheus and what writes like it, over remote write 1.0.',
  config: remoteWriteInputConfig,
  async start(config, host, accept): Promise<Running> {
    const receive = createReceiver(config, host, accept);
    const refused: IngestRoute['refused'] = (problem, message) =>
      host.meter.refused(host.name, 'samples', reasons[problem], 1, message);
    const refuseType = (message: string): IngestResponse => {
      host.meter.refused(host.name, 'samples', 'malformed', 1, message);
      return { status: 415, body: `${message}\n` };
    };
    const paths = config.path === undefined ? [...new Set(config.paths)] : [config.path];
    const remove: (() => void)[] = [];
    try {
      for (const path of paths) {
        remove.push(
          host.routes.add({
            method: 'POST',
            path,
            bodyLimitBytes: config.body_limit,
            inflatedLimitBytes: config.inflated_limit,
            allowsAnyOrigin: false,
            ownEncoding: 'snappy',
            handle(request) {
              const refusal = typeRefusal(request);
              return refusal === undefined ? receive(request) : Promise.resolve(refuseType(refusal));
            },
            refused,
          }),
        );
      }
    } catch (error) {
      for (const removeRoute of remove) removeRoute();
      throw error;
    }
    return {
      async stop() {
        for (const removeRoute of remove) removeRoute();
      },
      health: () => ({ isHealthy: true, line: `takes samples on POST ${paths.join(' and ')}` }),
    };
  },
};
