import type { Logger } from 'pino';
import { loadConfiguration } from '../config/load.ts';
import { formatProblem } from '../config/problem.ts';
import { DataDirectoryError } from '../pipeline/data-directory.ts';
import { ListenError } from '../server/listener.ts';
import { type Agent, startAgent } from './agent/agent.ts';
import { defaultAgentUrl } from './api-client.ts';
import { type Command, programName, type Terminal } from './command.ts';
import { configurationOptions, loadOptionsOf } from './configuration.ts';
import { createLog } from './log.ts';
import { version } from './version.ts';

/** Kubernetes kills 30 s after SIGTERM; this leaves it room. */
const drainMs = 25_000;

/** What a person sees once the agent takes data in: where it is, and what to do next. */
function welcome(terminal: Terminal, urls: readonly string[]): void {
  const [url = ''] = urls;
  const self = programName();
  terminal.out(`trawl ${version} takes data in at ${urls.join(' and ')}`);
  terminal.out('');
  terminal.out(`  send a span      ${self} send span${url === defaultAgentUrl ? '' : ` --url ${url}`}`);
  terminal.out(`  status           curl ${url}/api/trawl/status`);
  terminal.out(`  from a mesh      zipkin.address: ${new URL(url).host}`);
  terminal.out('');
  terminal.out('Ctrl-C stops it; what was acknowledged is kept.');
}

interface Signals {
  /** Resolves to the exit status once a signal has ended the agent. */
  readonly stopped: Promise<number>;
  /** Gives the signals an agent to act on; one that came before it was there is acted on now. */
  attach(agent: Agent): void;
}

/** Listens from before the agent starts: a signal must not cut it off in the middle of its start. */
function listenForSignals(log: Logger): Signals {
  let agent: Agent | undefined;
  let stopSignal: NodeJS.Signals | undefined;
  let mustReload = false;
  let settle: (status: number) => void = () => undefined;
  const stopped = new Promise<number>((resolve) => {
    settle = resolve;
  });
  const stopAgent = (running: Agent) => {
    log.info({ signal: stopSignal }, 'The agent stops.');
    running.stop(AbortSignal.timeout(drainMs)).then(
      () => settle(0),
      (error) => {
        log.error({ err: error }, 'The agent did not stop in order; what was acknowledged is on disk.');
        settle(1);
      },
    );
  };
  // What came of it is logged by the reload itself.
  const reloadAgent = (running: Agent) =>
    running.reload().catch((error) => log.error({ err: error }, 'The reload failed.'));
  const stop = (signal: NodeJS.Signals) => {
    // A second signal means now. Everything acknowledged is on disk already.
    if (stopSignal !== undefined) process.exit(0);
    stopSignal = signal;
    if (agent !== undefined) stopAgent(agent);
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  process.on('SIGHUP', () => {
    if (agent === undefined) mustReload = true;
    else void reloadAgent(agent);
  });
  process.on('uncaughtException', (error) => {
    if (agent?.adopt(error) === true) return;
    log.fatal({ err: error }, 'The agent failed; what was acknowledged is on disk.');
    process.exit(1);
  });
  return {
    stopped,
    attach(running) {
      agent = running;
      if (stopSignal !== undefined) stopAgent(running);
      else if (mustReload) void reloadAgent(running);
    },
  };
}

/** `trawl agent`. */
export const agentCommand: Command = {
  name: 'agent',
  summary: 'Runs the agent: takes data in, keeps it, answers queries, hands it on.',
  positionals: [],
  options: configurationOptions,
  example: 'trawl agent --config /etc/trawl --data /var/lib/trawl',
  async run(args, terminal) {
    const load = () => loadConfiguration(loadOptionsOf(args, terminal.environment));
    const loaded = await load();
    for (const warning of loaded.warnings) terminal.error(`warning: ${formatProblem(warning)}`);
    if (!loaded.ok) {
      for (const problem of loaded.problems) terminal.error(formatProblem(problem));
      terminal.error('nothing was started; trawl check says the same without starting anything');
      return 1;
    }
    const { level, format } = loaded.configuration.main.log;
    const log = createLog({ level, format, isTerminal: process.stderr.isTTY === true, write: terminal.error });
    const signals = listenForSignals(log);
    let agent: Agent;
    try {
      agent = await startAgent({ configuration: loaded.configuration, log, load, environment: terminal.environment });
    } catch (error) {
      terminal.error(error instanceof Error ? error.message : String(error));
      if (!(error instanceof DataDirectoryError || error instanceof ListenError))
        log.fatal({ err: error }, 'The agent could not start.');
      return process.exit(1);
    }
    welcome(terminal, agent.urls);
    signals.attach(agent);
    const status = await signals.stopped;
    // Whatever still holds the loop, such as a backend's half-open connection, must not hold the process.
    process.exit(status);
  },
};
