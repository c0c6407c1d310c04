/** Targets as rows of a table, each with what is wrong with it below. */
import { cutTo, widthOf } from './cells.ts';
import type { Screen, Style } from './screen.ts';
import type { AnsweredFinding, AnsweredTarget } from './targets-answer.ts';
import { durationText } from './time-text.ts';

const gap = '  ';
const indent = '    ';
const narrowest = 30;

const healthStyles: Readonly<Record<AnsweredTarget['health'], Style>> = { up: 'green', down: 'red', unknown: 'yellow' };
const healthRank: Readonly<Record<AnsweredTarget['health'], number>> = { down: 0, unknown: 1, up: 2 };

/** What a person looks for first stands first. */
export const inOrder = (targets: readonly AnsweredTarget[]): AnsweredTarget[] =>
  [...targets].sort((a, b) => healthRank[a.health] - healthRank[b.health] || (nameOf(a) < nameOf(b) ? -1 : 1));

const nameOf = ({ pod, origin, component }: AnsweredTarget): string =>
  pod === null ? `${component} ${origin}` : `${pod.namespace}/${pod.name}`;

/** In whole units: how long ago a scrape was is not worth more. */
function agoText(seconds: number): string {
  if (seconds < 120) return `${Math.max(0, Math.round(seconds))} s`;
  return seconds < 7_200 ? `${Math.round(seconds / 60)} m` : `${Math.round(seconds / 3_600)} h`;
}

export interface TableOptions {
  readonly screen: Screen;
  readonly nowMs: number;
  /** Shows the labels before and after relabelling. */
  readonly showsLabels: boolean;
}

/** The lines of the table. */
export function drawTargets(
  targets: readonly AnsweredTarget[],
  { screen, nowMs, showsLabels }: TableOptions,
): string[] {
  const ago = ({ lastScrape }: AnsweredTarget) =>
    lastScrape === null ? '-' : `${agoText((nowMs - Date.parse(lastScrape)) / 1000)} ago`;
  const columns = [
    { title: 'health', isNumber: false, text: ({ health }: AnsweredTarget) => health },
    { title: 'last scrape', isNumber: true, text: ago },
    {
      title: 'took',
      isNumber: true,
      text: ({ lastDurationSeconds: s }: AnsweredTarget) => screen.own(s === null ? '-' : durationText(s * 1e6)),
    },
    { title: 'samples', isNumber: true, text: ({ samples }: AnsweredTarget) => String(samples) },
    { title: 'of', isNumber: false, text: (target: AnsweredTarget) => screen.show(nameOf(target)) },
  ].map((column) => ({
    ...column,
    width: targets.reduce((width, target) => Math.max(width, widthOf(column.text(target))), column.title.length),
  }));
  const fixed = columns.reduce((sum, { width }) => sum + width + gap.length, 0);
  const isOneLine = fixed + narrowest <= screen.width;
  const head = columns.map(({ title, isNumber, width }) => (isNumber ? title.padStart(width) : title.padEnd(width)));
  const lines = [screen.paint([...head, ...(isOneLine ? ['target'] : [])].join(gap).trimEnd(), 'dim')];
  for (const target of inOrder(targets)) {
    const cells = columns.map(({ text, isNumber, width, title }) => {
      const cell = text(target);
      const padding = ' '.repeat(Math.max(0, width - widthOf(cell)));
      const padded = isNumber ? padding + cell : cell + padding;
      return title === 'health' ? screen.paint(padded, healthStyles[target.health]) : padded;
    });
    const url = screen.show(target.url);
    lines.push(
      [...cells, ...(isOneLine ? [cutTo(url, screen.width - fixed, screen.ellipsis)] : [])].join(gap).trimEnd(),
    );
    if (!isOneLine) lines.push(`${indent}${url}`);
    if (target.lastError !== null) lines.push(`${indent}${screen.paint(screen.show(target.lastError), 'red')}`);
    if (target.lastWarning !== null) lines.push(`${indent}${screen.paint(screen.show(target.lastWarning), 'yellow')}`);
    if (showsLabels) lines.push(...labelLines(target, screen));
  }
  return lines;
}

function labelLines({ discoveredLabels, labels }: AnsweredTarget, screen: Screen): string[] {
  const text = (of: Readonly<Record<string, string>>) =>
    Object.entries(of)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
      .join(' ');
  return [
    `${indent}${screen.paint('labels', 'dim')}      ${screen.show(text(labels))}`,
    `${indent}${screen.paint('discovered', 'dim')}  ${screen.show(text(discoveredLabels))}`,
  ];
}

/** What is wrong with annotations, a heading and a line each. */
export function drawFindings(
  title: string,
  findings: readonly AnsweredFinding[],
  screen: Screen,
  style: Style,
): string[] {
  if (findings.length === 0) return [];
  return [
    '',
    screen.paint(title, style),
    ...findings.flatMap(({ pod, annotation, line, message }) => [
      `  ${screen.show(`${pod.namespace}/${pod.name}`)}${gap}${screen.show(annotation)}${line === null ? '' : `, line ${line}`}`,
      `${indent}${screen.show(message)}`,
    ]),
  ];
}
