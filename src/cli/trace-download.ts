/** A trace as the file that another viewer loads. */
import { writeFile } from 'node:fs/promises';
import { errorCode } from '../pipeline/file-system.ts';
import type { Agent } from './agent-question.ts';
import { expectSuccess } from './api-client.ts';
import { harmless } from './cells.ts';
import { ApiError, type Terminal } from './command.ts';

export const traceFormats = ['zipkin', 'jaeger', 'otlp'] as const;
export type TraceFormat = (typeof traceFormats)[number];

/** Jaeger's as its viewers want it, who know a span by its id alone: halves of a call that share one get ids of their own. OTLP's as it came. */
const paths: Readonly<Record<TraceFormat, (id: string) => string>> = {
  zipkin: (id) => `/api/v2/trace/${id}`,
  jaeger: (id) => `/api/traces/${id}`,
  otlp: (id) => `/api/v3/traces/${id}?rawTraces=true`,
};

export interface Download {
  readonly id: string;
  readonly format: TraceFormat;
  /** A file that is not there yet; undefined and `-` for standard output. */
  readonly file: string | undefined;
  readonly agent: Agent;
  readonly terminal: Terminal;
}

/** Writes a trace in a viewer's format; resolves to the exit status. */
export async function downloadTrace({ id, format, file, agent, terminal }: Download): Promise<number> {
  const answer = await agent.get(paths[format](encodeURIComponent(id)));
  if (answer.status === 404) {
    terminal.error(
      `no trace ${harmless(id)} is kept here; was it sent to this agent, and within the store's retention?`,
    );
    return 1;
  }
  const text = format === 'otlp' ? unwrap(expectSuccess(answer)) : expectSuccess(answer);
  if (file === undefined || file === '-') {
    terminal.out(text);
    return 0;
  }
  try {
    // What is there already may be the only copy of something.
    await writeFile(file, `${text}\n`, { flag: 'wx' });
  } catch (cause) {
    const reason =
      errorCode(cause) === 'EEXIST'
        ? 'it is there already; remove it or choose another name'
        : errorCode(cause) || String(cause);
    throw new ApiError(`cannot write ${harmless(file)}: ${reason}`, { cause });
  }
  terminal.out(`wrote trace ${harmless(id)} to ${harmless(file)} (${format}, ${Buffer.byteLength(text) + 1} bytes)`);
  return 0;
}

/** Jaeger's v3 wraps what every other tool takes for a file of OTLP. Cut out and not parsed, so that no number is changed. */
function unwrap(text: string): string {
  return /^\s*\{\s*"result"\s*:\s*([\s\S]*)\}\s*$/.exec(text)?.[1]?.trim() ?? text;
}
