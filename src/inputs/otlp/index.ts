/** Takes traces and metrics that OpenTelemetry's SDKs and collectors send, over HTTP and over gRPC (https://opentelemetry.io/docs/specs/otlp/). */
import type { InputKind, Running } from '../../pipeline/component.ts';
import { type OtlpInputConfig, otlpInputConfig } from './config.ts';
import { createGrpcRoute } from './grpc-route.ts';
import { createHttpRoute } from './http-route.ts';
import { createSignals } from './otlp-signal.ts';

/** The input `[[inputs.otlp]]`. */
export const otlpInput: InputKind<OtlpInputConfig> = {
  type: 'otlp',
  summary: "Takes traces and metrics from OpenTelemetry's SDKs and collectors, over OTLP.",
  config: otlpInputConfig,
  async start(config, host, accept): Promise<Running> {
    const remove: (() => void)[] = [];
    const signals = createSignals(config, host, accept);
    try {
      for (const signal of signals) {
        for (const path of signal.paths) remove.push(host.routes.add(createHttpRoute(signal, path, config)));
        if (config.grpc) remove.push(host.routes.add(createGrpcRoute(signal, config)));
      }
    } catch (error) {
      for (const removeRoute of remove) removeRoute();
      throw error;
    }
    const paths = signals.flatMap((signal) => signal.paths);
    const line = `takes OpenTelemetry's traces and metrics on POST ${paths.join(', ')}${config.grpc ? ', and over gRPC' : ''}`;
    return {
      async stop() {
        for (const removeRoute of remove) removeRoute();
      },
      health: () => ({ isHealthy: true, line }),
    };
  },
};
