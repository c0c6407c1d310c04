/** What an agent answers about its targets, as the commands read it. */
import { z } from 'zod';
import type { Agent } from './agent-question.ts';
import { type ApiAnswer, expectSuccess } from './api-client.ts';
import { harmless } from './cells.ts';
import { ApiError } from './command.ts';

const pod = z.object({
  namespace: z.string(),
  name: z.string(),
  uid: z.string(),
  node: z.string(),
  phase: z.string(),
  ip: z.string(),
});
const labels = z.record(z.string(), z.string());
const finding = z.object({ pod, annotation: z.string(), line: z.number().nullable(), message: z.string() });

const answer = z.object({
  sources: z.array(
    z.object({ name: z.string(), healthy: z.boolean(), state: z.string(), pods: z.number().nullable() }),
  ),
  targets: z.array(
    z.object({
      url: z.string(),
      component: z.string(),
      origin: z.string(),
      pod: pod.nullable(),
      annotation: z.string().nullable(),
      discoveredLabels: labels,
      labels,
      intervalSeconds: z.number(),
      timeoutSeconds: z.number(),
      health: z.enum(['unknown', 'up', 'down']),
      lastScrape: z.string().nullable(),
      lastDurationSeconds: z.number().nullable(),
      samples: z.number(),
      hasAnswered: z.boolean(),
      lastError: z.string().nullable(),
      lastWarning: z.string().nullable(),
    }),
  ),
  leftOut: z.array(z.object({ url: z.string(), component: z.string(), why: z.string() })),
  refused: z.array(finding.extend({ reason: z.string() })),
  warnings: z.array(finding),
  pods: z.array(pod.extend({ annotations: z.array(z.string()), notScraped: z.string().nullable() })),
});

export type TargetsAnswer = z.infer<typeof answer>;
export type AnsweredTarget = TargetsAnswer['targets'][number];
export type AnsweredFinding = TargetsAnswer['warnings'][number];

/** Asks an agent for its targets; of one pod alone where `podName` (`NAMESPACE/NAME`) is given. */
export async function askTargets(agent: Agent, podName?: string): Promise<TargetsAnswer> {
  const path = `/api/trawl/targets${podName === undefined ? '' : `?pod=${encodeURIComponent(podName)}`}`;
  return read(await agent.get(path), agent.url);
}

function read(said: ApiAnswer, url: string): TargetsAnswer {
  if (said.status === 404)
    throw new ApiError(
      `this agent tells nothing of targets (it answers 404 to /api/trawl/targets); is it a newer one?`,
    );
  const text = expectSuccess(said);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ApiError(`${url} does not answer as an agent does: ${harmless(text.slice(0, 200))}`, { cause });
  }
  const parsed = answer.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new ApiError(`${url} does not answer as an agent does: ${harmless(text.slice(0, 200))}`, {
    cause: parsed.error,
  });
}
