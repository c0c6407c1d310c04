/** Tells an agent at full load to stop, again and again, and looks at how it ended, at what new clients saw meanwhile, and at what it had acknowledged. */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { startAgent } from '../fixtures/agent.ts';
import { createRandom } from '../fixtures/random.ts';
import { type Answers, judgeSpans, startLoad, waitFor } from './agent-tools.ts';
import type { Verdict } from './oracle.ts';

export interface StopLoopOptions {
  readonly stops: number;
  readonly seed: number;
}

export interface StopLoopReport {
  readonly seed: number;
  readonly stops: number;
  /** By exit status; a signal counts as -1. */
  readonly exits: Readonly<Record<string, number>>;
  readonly longestStopMs: number;
  /** What came of new connections while an agent stopped, and after it had: `connected`, or the error's code. */
  readonly newConnections: Readonly<Record<string, number>>;
  readonly answers: Answers;
  readonly spans: Verdict;
}

/** Opens one connection after another until told to stop. */
function startKnocking(port: number, outcomes: Record<string, number>): () => Promise<void> {
  let isOver = false;
  const knock = async () => {
    while (!isOver) {
      const socket = connect(port, '127.0.0.1');
      const outcome = await new Promise<string>((resolve) => {
        socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
        socket.once('connect', () => {
          socket.end();
          resolve('connected');
        });
      });
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      socket.destroy();
      await sleep(5);
    }
  };
  const knocking = knock();
  return async () => {
    isOver = true;
    await knocking;
  };
}

/** Runs the loop; a round takes two seconds or so. */
export async function runStopLoop({ stops, seed }: StopLoopOptions): Promise<StopLoopReport> {
  const random = createRandom(seed);
  const agent = await startAgent();
  const exits: Record<string, number> = {};
  const newConnections: Record<string, number> = {};
  let longestStopMs = 0;
  try {
    const load = startLoad(agent, { senders: 16 });
    for (let stop = 0; stop < stops; stop++) {
      const enough = load.oracle.acknowledged + 500 + random() * 3000;
      await waitFor('load', () => load.oracle.acknowledged > enough, 60_000);
      await sleep(random() * 300);
      const finishKnocking = startKnocking(agent.port, newConnections);
      const startedAt = performance.now();
      const code = (await agent.kill('SIGTERM')) ?? -1;
      longestStopMs = Math.max(longestStopMs, Math.round(performance.now() - startedAt));
      exits[code] = (exits[code] ?? 0) + 1;
      await sleep(20);
      await finishKnocking();
      await agent.restart();
    }
    await load.stop();
    await agent.ready();
    return {
      seed,
      stops,
      exits,
      longestStopMs,
      newConnections,
      answers: load.answers,
      spans: await judgeSpans(agent, load),
    };
  } finally {
    await agent.remove();
  }
}
