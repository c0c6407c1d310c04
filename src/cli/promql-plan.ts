/** How a query was answered, as a tree: what the store's engine computed, what the agent did, and what each took. */
import { z } from 'zod';
import type { Screen } from './screen.ts';

const count = z.number().nullable();

const partSchema = z.object({
  expression: z.string(),
  by: z.enum(['engine', 'agent']),
  how: z.string(),
  series: count,
  leftToAgent: count,
  values: count,
  rowsRead: count,
  tookMs: count,
  get parts() {
    return z.array(partSchema);
  },
});
type PlanPart = z.infer<typeof partSchema>;

const planSchema = z.object({
  query: z.string(),
  points: z.number(),
  series: count,
  tookMs: z.number(),
  evaluationMs: count,
  plan: partSchema,
});
export type QueryPlan = z.infer<typeof planSchema>;

/** Reads the answer of `/api/trawl/promql/explain`; undefined where it is none. */
export function readPlan(text: string): QueryPlan | undefined {
  try {
    const read = planSchema.safeParse(JSON.parse(text));
    return read.success ? read.data : undefined;
  } catch {
    // The caller says what came instead.
    return undefined;
  }
}

const number = (value: number): string => value.toLocaleString('en-US');
const millis = (timeMs: number): string => `${timeMs.toFixed(1)} ms`;
const counted = (value: number | null, what: string): string[] => (value === null ? [] : [`${number(value)} ${what}`]);

/** What came from the store for a part, and what that took. */
function figures({ series, leftToAgent, values, rowsRead, tookMs }: PlanPart): string {
  return [
    ...counted(series, 'series'),
    ...(leftToAgent === null || leftToAgent === 0 ? [] : [`${number(leftToAgent)} of them left to the agent`]),
    ...counted(values, 'values'),
    ...counted(rowsRead, 'rows read'),
    ...(tookMs === null ? [] : [millis(tookMs)]),
  ].join(', ');
}

function drawPart(part: PlanPart, screen: Screen, { first, rest }: { readonly first: string; readonly rest: string }) {
  const painted = screen.paint(part.by, part.by === 'engine' ? 'green' : 'cyan');
  const lines = [`${first}${painted}  ${screen.show(part.expression)}`];
  const own = part.parts.length > 0 ? (screen.isUnicode ? '│  ' : '|  ') : '   ';
  const shown = figures(part);
  lines.push(`${rest}${own}${screen.paint(screen.show(part.how), 'dim')}`);
  if (shown !== '') lines.push(`${rest}${own}${shown}`);
  part.parts.forEach((below, i) => {
    const isLast = i === part.parts.length - 1;
    const [branch, line] = screen.isUnicode ? [isLast ? '└─ ' : '├─ ', '│  '] : [isLast ? '`- ' : '+- ', '|  '];
    lines.push(...drawPart(below, screen, { first: rest + branch, rest: rest + (isLast ? '   ' : line) }));
  });
  return lines;
}

/** The lines of the tree, and below it what all of it took. */
export function drawPlan({ plan, tookMs, evaluationMs, points, series }: QueryPlan, screen: Screen): string[] {
  const evaluated = evaluationMs === null ? '' : `, ${millis(evaluationMs)} of it in the agent`;
  const size = [...counted(series, 'series'), ...counted(points, points === 1 ? 'point' : 'points')].join(' of ');
  return [...drawPart(plan, screen, { first: '', rest: '' }), '', `${size} in ${millis(tookMs)}${evaluated}`];
}
