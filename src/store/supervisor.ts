/** Keeps a store process running beside the agent: starts it, watches that it answers, starts it anew when it dies or hangs. */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { request } from 'node:http';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

/** What the supervisor needs of a pino logger. */
export interface SupervisorLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface SupervisorOptions {
  /** The program and its first arguments: `[process.execPath, 'dist/main.js', 'store']`. */
  readonly command: readonly [string, ...string[]];
  /** The store's data directory. */
  readonly directory: string;
  readonly log: SupervisorLog;
  /** The store starts anew above this resident size; 2 GiB unless told. */
  readonly maxRssBytes?: number;
  readonly pingIntervalMs?: number;
  /** A store that does not answer a ping within this time, three times in a row, hangs and is killed. */
  readonly pingTimeoutMs?: number;
  readonly startTimeoutMs?: number;
  readonly backoff?: { readonly initialMs: number; readonly maxMs: number };
  /** Called whenever the process has ended by itself: what was being inserted has an unknown outcome. */
  readonly onDown?: () => void;
  /** Called each time the store answers, the first time included. */
  readonly onReady?: () => void;
}

/** `silent`: it runs and has not answered for a while; it is ended if that goes on. */
export type StoreState = 'stopped' | 'starting' | 'ready' | 'silent' | 'down';

export interface Supervisor {
  readonly socketPath: string;
  /** Starts the process; resolves when it answers, or rejects with the reason when the signal ends the wait. */
  start(signal: AbortSignal): Promise<void>;
  /** SIGTERM, then SIGKILL once the deadline has passed. */
  stop(deadlineMs: number): Promise<void>;
  /** What a person needs to know, in a line. */
  health(): {
    readonly state: StoreState;
    readonly text: string;
    readonly restarts: number;
    readonly pid: number | undefined;
  };
}

const missedPingsUntilHung = 3;
/** Without an answer for so long a store counts as one that answers nobody. */
const silentAfterMs = 2_000;
const defaultStartTimeoutMs = 30_000;
const lastWordsMs = 1_000;

/** A supervisor that has started nothing yet. */
export function createSupervisor(options: SupervisorOptions): Supervisor {
  const { log } = options;
  const socketPath = join(resolve(options.directory), 'store.sock');
  const backoff = options.backoff ?? { initialMs: 100, maxMs: 5_000 };
  let state: StoreState = 'stopped';
  let reason = 'it was not started';
  let restarts = 0;
  let child: ChildProcess | undefined;
  let stopping = new AbortController();
  let loop: Promise<void> = Promise.resolve();
  let ending: Promise<void> | undefined;
  let whenReady: (() => void) | undefined;
  /** When the first ping went out that has not been answered; by the monotonic clock. */
  let unansweredSinceMs: number | undefined;

  async function keepRunning(): Promise<void> {
    let delayMs = backoff.initialMs;
    while (!stopping.signal.aborted) {
      state = 'starting';
      const startedAtMs = Date.now();
      const wasReady = await runOnce();
      if (stopping.signal.aborted) return;
      state = 'down';
      restarts += 1;
      log.error({ reason, restarts }, 'the store has ended and is started anew');
      options.onDown?.();
      // One that ran for a while deserves a quick start; one that dies at once must not spin.
      delayMs =
        wasReady && Date.now() - startedAtMs > backoff.maxMs ? backoff.initialMs : Math.min(delayMs * 2, backoff.maxMs);
      await pause(delayMs, stopping.signal);
    }
  }

  /** One life of the process; answers whether it was ever ready. */
  async function runOnce(): Promise<boolean> {
    let started: ChildProcess;
    try {
      started = launch(options, socketPath);
    } catch (error) {
      // Some of what keeps a program from being started is thrown, such as arguments that are too long or too little memory.
      reason = `it could not be started: ${error instanceof Error ? error.message : String(error)}`;
      return false;
    }
    child = started;
    const lastWords = forwardLog(started.stderr, log);
    const ended = new AbortController();
    const exit = new Promise<string>((settle) => {
      started.once('error', (error) => settle(`it could not be started: ${error.message}`));
      const describe = (code: number | null, signal: NodeJS.Signals | null) =>
        signal === null ? `it ended with code ${code}` : `it was ended by ${signal}`;
      // Its last words come before `close`; but whoever got its standard error from it may live on, and keep that open.
      started.once('close', (code, signal) => settle(describe(code, signal)));
      started.once('exit', (code, signal) => {
        const timer = setTimeout(() => settle(describe(code, signal)), lastWordsMs);
        started.once('close', () => clearTimeout(timer));
      });
    });
    let verdict: string | undefined;
    let wasReady = false;
    const watch = async () => {
      wasReady = await becomesReady(started, ended.signal);
      if (ended.signal.aborted) return;
      if (!wasReady)
        verdict = `it did not answer within ${options.startTimeoutMs ?? defaultStartTimeoutMs} ms of its start`;
      else {
        state = 'ready';
        whenReady?.();
        options.onReady?.();
        if (await hangs(ended.signal)) verdict = 'it answered no pings';
      }
      if (verdict !== undefined) started.kill('SIGKILL');
    };
    const watching = watch();
    const how = await exit;
    ended.abort();
    await watching;
    started.stderr?.destroy();
    unansweredSinceMs = undefined;
    const words = lastWords();
    reason = (verdict ?? how) + (words === '' ? '' : ` (${words})`);
    return wasReady;
  }

  /** Told by the child itself: another process may still answer on the socket while this one is being refused the directory. */
  async function becomesReady(started: ChildProcess, signal: AbortSignal): Promise<boolean> {
    const waiting = new AbortController();
    let isReady = false;
    started.once('message', () => {
      isReady = true;
      waiting.abort();
    });
    await pause(options.startTimeoutMs ?? defaultStartTimeoutMs, AbortSignal.any([signal, waiting.signal]));
    return isReady && !signal.aborted;
  }

  async function hangs(signal: AbortSignal): Promise<boolean> {
    let missed = 0;
    while (!signal.aborted) {
      await pause(options.pingIntervalMs ?? 2_000, signal);
      if (signal.aborted) return false;
      unansweredSinceMs ??= performance.now();
      const answers = await ping(socketPath, options.pingTimeoutMs ?? 5_000);
      if (answers) unansweredSinceMs = undefined;
      missed = answers ? 0 : missed + 1;
      if (missed >= missedPingsUntilHung) return true;
    }
    return false;
  }

  async function end(deadlineMs: number): Promise<void> {
    stopping.abort();
    const last = child;
    const isRunning = last !== undefined && last.exitCode === null && last.signalCode === null;
    if (isRunning) last.kill('SIGTERM');
    const timer = isRunning ? setTimeout(() => last.kill('SIGKILL'), deadlineMs) : undefined;
    try {
      await loop;
    } finally {
      clearTimeout(timer);
    }
    state = 'stopped';
    reason = 'it was stopped';
  }

  return {
    socketPath,
    async start(signal) {
      // Also while it still ends: two loops would each start a store.
      if (state !== 'stopped' || ending !== undefined)
        throw new Error('the store was started already; stop it first, and wait until it has stopped');
      state = 'starting';
      stopping = new AbortController();
      const ready = new Promise<void>((settle) => {
        whenReady = settle;
      });
      loop = keepRunning();
      const given = new Promise<never>((_, reject) => {
        const onAbort = () => reject(new Error(`The store did not become ready: ${reason}`));
        const either = AbortSignal.any([signal, stopping.signal]);
        if (either.aborted) onAbort();
        either.addEventListener('abort', onAbort, { once: true });
        void ready.then(() => either.removeEventListener('abort', onAbort));
      });
      await Promise.race([ready, given]);
    },
    stop(deadlineMs) {
      ending ??= end(deadlineMs).finally(() => {
        ending = undefined;
      });
      return ending;
    },
    health() {
      const silentMs = unansweredSinceMs === undefined ? 0 : performance.now() - unansweredSinceMs;
      if (state === 'ready' && silentMs > silentAfterMs) {
        const text = `the store has not answered for ${Math.round(silentMs / 1000)} s; if it stays silent it is ended and started anew`;
        return { state: 'silent', restarts, pid: child?.pid, text };
      }
      return { state, restarts, pid: child?.pid, text: describeState(state, reason, restarts) };
    },
  };
}

function describeState(state: StoreState, reason: string, restarts: number): string {
  const times = restarts === 1 ? 'once' : `${restarts} times`;
  if (state === 'ready')
    return restarts === 0
      ? 'the store answers'
      : `the store answers; it was restarted ${times}, last because ${reason}`;
  if (state === 'starting')
    return restarts === 0 ? 'the store is starting' : `the store is starting anew because ${reason}`;
  if (state === 'down') return `the store is down: ${reason}; it is started anew in a moment`;
  return `the store does not run: ${reason}`;
}

function launch(options: SupervisorOptions, socketPath: string): ChildProcess {
  const [program, ...args] = options.command;
  const maxRssBytes = options.maxRssBytes ?? 2 * 1024 ** 3;
  const storeArgs = [
    '--data',
    options.directory,
    '--socket',
    socketPath,
    '--parent',
    String(process.pid),
    '--max-rss',
    String(maxRssBytes),
  ];
  return spawn(program, [...args, ...storeArgs], {
    // The store ends when the channel does, which is when this process ends, however it ends.
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    // chDB runs queries on libuv's pool; with its four threads four queries would stop every file operation of the process.
    env: { ...process.env, UV_THREADPOOL_SIZE: '16' },
  });
}

const complaint = /\berror\b|exception|in use|cannot|denied/i;

/** Passes the store's log on; answers the last line that was not a log line of its own, which is where the engine complains. */
function forwardLog(stderr: Readable | null, log: SupervisorLog): () => string {
  let last = '';
  if (stderr === null) return () => last;
  createInterface({ input: stderr, crlfDelay: Number.POSITIVE_INFINITY }).on('line', (line) => {
    if (line.trim() === '') return;
    const entry = parseLogLine(line);
    if (entry === undefined) {
      // The line that names the fault is worth more than the trace after it.
      if (!complaint.test(last) || complaint.test(line)) last = line.trim().slice(0, 500);
      log.warn({ store: line.slice(0, 2_000) }, 'the store says');
    } else if (entry.level >= 50) log.error(entry.fields, entry.message);
    else if (entry.level >= 40) log.warn(entry.fields, entry.message);
    else log.info(entry.fields, entry.message);
  });
  return () => last;
}

function parseLogLine(line: string): { level: number; message: string; fields: object } | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const { level, msg, time: _time, hostname: _hostname, name: _name, ...fields } = JSON.parse(line);
    if (typeof level !== 'number' || typeof msg !== 'string') return undefined;
    return { level, message: msg, fields: { component: 'store', ...fields } };
  } catch {
    // Cut short by the process's end: worth no more than a line of text.
    return undefined;
  }
}

function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((wake) => {
    if (signal.aborted) return wake();
    const timer = setTimeout(done, delayMs);
    function done() {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      wake();
    }
    signal.addEventListener('abort', done, { once: true });
  });
}

function ping(socketPath: string, timeoutMs: number): Promise<boolean> {
  return new Promise((settle) => {
    const asked = request(
      { socketPath, path: '/ping?engine', agent: false, signal: AbortSignal.timeout(timeoutMs) },
      (response) => {
        response.resume();
        response.once('close', () => settle(response.statusCode === 200));
      },
    );
    asked.once('error', () => settle(false));
    asked.end();
  });
}
