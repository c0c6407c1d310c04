/** The outputs: each with a spool of its own, found again after a restart by where it sends to. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import type { ComponentBlock } from '../../config/load.ts';
import type { Host, OutputKind, Running } from '../../pipeline/component.ts';
import type { DataDirectory } from '../../pipeline/data-directory.ts';
import { type Output, openOutput } from '../../pipeline/delivery/output.ts';
import { realFileSystem } from '../../pipeline/file-system.ts';
import type { Destination } from '../../pipeline/intake.ts';
import type { Meter } from '../../pipeline/meter.ts';
import { observeSpool } from './spool-metrics.ts';

export interface OutputsOptions {
  readonly dataDirectory: DataDirectory;
  readonly meter: Meter;
  hostFor(name: string): Host;
}

export interface Outputs {
  start(block: ComponentBlock<OutputKind<unknown>>): Promise<Running>;
  /** Those that run now. */
  destinations(): readonly Destination[];
}

/** The keys that every output has, whatever it speaks. */
const deliveryConfig = z.object({
  url: z.string(),
  timeout: z.number(),
  max_spool_bytes: z.number(),
  when_full: z.enum(['drop_oldest', 'refuse']),
});

const attemptGraceMs = 5_000;

/** Blocks change their order and number; what waits for a backend must not go to another one. */
const spoolName = (kind: string, url: string): string =>
  `${kind}-${createHash('sha256').update(url).digest('hex').slice(0, 16)}`;

export function createOutputs({ dataDirectory, meter, hostFor }: OutputsOptions): Outputs {
  const running = new Set<Output>();
  const directories = new Set<string>();
  return {
    async start({ kind, name, config }) {
      const host = hostFor(name);
      const delivery = deliveryConfig.parse(config);
      const directory = join(dataDirectory.path, 'spool', spoolName(kind.type, delivery.url));
      if (directories.has(directory)) {
        throw new Error(
          `two [[outputs.${kind.type}]] send to ${new URL(delivery.url).host}${new URL(delivery.url).pathname}; remove one of them`,
        );
      }
      directories.add(directory);
      let output: Output;
      try {
        output = await openOutput({
          sink: kind.connect(config, host),
          host,
          spool: {
            directory,
            fileSystem: realFileSystem,
            limits: { maxBytes: delivery.max_spool_bytes },
            whenFull: delivery.when_full,
            writer: dataDirectory.writer,
          },
          // The sink's own timeout comes first: it can say what it waited for.
          attemptTimeoutMs: delivery.timeout + attemptGraceMs,
        });
      } catch (error) {
        directories.delete(directory);
        throw error;
      }
      running.add(output);
      const stopObserving = observeSpool(meter.registry, name, { stats: output.spool });
      return {
        async stop(deadline, because) {
          running.delete(output);
          try {
            await output.running.stop(deadline, because);
          } finally {
            directories.delete(directory);
            stopObserving();
          }
        },
        health: () => output.running.health(),
      };
    },
    destinations: () => [...running],
  };
}
