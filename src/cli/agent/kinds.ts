/** Every kind of input and output there is. */
import { containerLogsInput } from '../../inputs/container_logs/index.ts';
import { otlpInput } from '../../inputs/otlp/index.ts';
import { promInput } from '../../inputs/prom/index.ts';
import { remoteWriteInput } from '../../inputs/remote_write/index.ts';
import { zipkinInput } from '../../inputs/zipkin/index.ts';
import { zipkinOutput } from '../../outputs/zipkin/index.ts';
import type { InputKind, OutputKind } from '../../pipeline/component.ts';

export const inputKinds: readonly InputKind<unknown>[] = [
  zipkinInput,
  otlpInput,
  promInput,
  remoteWriteInput,
  containerLogsInput,
];
export const outputKinds: readonly OutputKind<unknown>[] = [zipkinOutput];
export const kinds = { inputs: inputKinds, outputs: outputKinds };
