/** Reads the logs of a node's containers from the files that the container runtime writes. */
import { realpath } from 'node:fs/promises';
import { Counter } from 'prom-client';
import type { Accept } from '../../model/batch.ts';
import type { Health, Host, InputKind, Running } from '../../pipeline/component.ts';
import { type ContainerLogsConfig, containerLogsConfig } from './config.ts';
import type { LogReading } from './container-log.ts';
import { readPart } from './cri-part.ts';
import { createContainerFilter } from './log-path.ts';
import { decodePosition, type FilePosition } from './position.ts';
import { createRecordMaker } from './record.ts';
import { createTailer } from './tailer.ts';

const maxReported = 1000;

/** Reports each problem of each path once. */
function createReporter(host: Host) {
  const reported = new Set<string>();
  return (path: string, why: string) => {
    const line = `${path}: ${why}`;
    if (reported.has(line)) return;
    if (reported.size >= maxReported) reported.clear();
    reported.add(line);
    host.meter.failed(host.name, line);
    host.log.warn({ path }, line);
  };
}

function readKept(host: Host, prefix: string): ReadonlyMap<string, FilePosition> {
  const kept = new Map<string, FilePosition>();
  for (const { key, value } of host.positions(prefix)) {
    const position = decodePosition(value);
    if (position === undefined)
      host.log.warn({ key }, `the position ${key} cannot be read; its file is read from its beginning`);
    else kept.set(key.slice(prefix.length), position);
  }
  return kept;
}

function countInvalid(host: Host): () => void {
  const name = 'trawl_invalid_utf8_lines_total';
  const known = host.meter.registry.getSingleMetric(name);
  const counter =
    known instanceof Counter
      ? known
      : new Counter({
          name,
          help: 'Log lines with bytes that are no UTF-8 and were replaced by U+FFFD.',
          labelNames: ['component'],
          registers: [host.meter.registry],
        });
  return () => counter.inc({ component: host.name });
}

/** The directory may be mounted later than the agent starts. */
async function realRoot(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return path;
    throw new Error(`cannot read path "${path}": ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

async function start(config: ContainerLogsConfig, host: Host, accept: Accept): Promise<Running> {
  const root = await realRoot(config.path);
  const keyPrefix = `container_logs:${root}:`;
  const stopping = new AbortController();
  const giving = new AbortController();
  const onProblem = createReporter(host);
  let openFiles = 0;
  const reading: LogReading = {
    root,
    keyPrefix,
    maxLineBytes: config.max_line_bytes,
    readPart,
    createRecord: createRecordMaker(host.nodeName, countInvalid(host)),
    nowMs: () => host.clock.monotonicMs(),
    mayOpen: async () => openFiles < config.max_open_files || (await tailer.closeIdle()),
    onOpened: (count) => {
      openFiles += count;
    },
    onLost: (reason, count, why) => host.meter.dropped(host.name, 'logs', reason, count, why),
    onProblem,
  };
  const tailer = createTailer({
    host,
    accept,
    acceptSignal: giving.signal,
    scan: {
      root,
      includes: createContainerFilter(config.container_include_log, config.container_exclude_log),
      onProblem,
    },
    reading,
    kept: readKept(host, keyPrefix),
    startAt: config.start_at,
    scanIntervalMs: config.scan_interval,
    pollIntervalMs: config.poll_interval,
  });
  const running = tailer.run(stopping.signal);
  let stopped: Promise<void> | undefined;

  const stop = async (deadline: AbortSignal) => {
    stopping.abort(new Error('the input stops'));
    const giveUp = () => giving.abort(new Error('the deadline of the stop has passed'));
    if (deadline.aborted) giveUp();
    else deadline.addEventListener('abort', giveUp, { once: true });
    const expired = new Promise<void>((resolve) => {
      if (giving.signal.aborted) resolve();
      else giving.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    await Promise.race([running, expired]);
    deadline.removeEventListener('abort', giveUp);
    await tailer.close();
  };

  return {
    stop: (deadline) => {
      stopped ??= stop(deadline);
      return stopped;
    },
    health: (): Health => {
      const { containers, unreadBytes, trouble } = tailer.summary();
      const behind = unreadBytes === 0 ? 'nothing unread' : `${Math.ceil(unreadBytes / 1024)} KiB unread`;
      const line = `${containers} containers below ${root}, ${openFiles} files open, ${behind}`;
      return trouble === undefined ? { isHealthy: true, line } : { isHealthy: false, line: `${trouble}; ${line}` };
    },
  };
}

/** `[[inputs.container_logs]]`, and DataKit's `[inputs.container]`. */
export const containerLogsInput = {
  type: 'container_logs',
  summary: "Reads the logs of a node's containers from /var/log/pods, resuming at the right line after a restart.",
  config: containerLogsConfig,
  start,
} satisfies InputKind<ContainerLogsConfig>;
