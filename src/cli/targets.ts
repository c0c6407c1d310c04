/** `trawl targets`: what is scraped, how that goes, and which annotations of pods are refused. */
import { agentOf, countOf, questionOptions } from './agent-question.ts';
import { type Command, programName, UsageError } from './command.ts';
import { type Screen, screenOf } from './screen.ts';
import { askTargets, type TargetsAnswer } from './targets-answer.ts';
import { drawFindings, drawTargets } from './targets-table.ts';

/** `NAMESPACE/NAME`, as far as its form goes. */
export const podNamePattern = /^[^/\s]+\/[^/\s]+$/;

export const targetsCommand: Command = {
  name: 'targets',
  summary: 'Lists what is scraped and how that goes, and which annotations of pods are refused and why.',
  positionals: [],
  options: {
    pod: { type: 'string', value: 'NAMESPACE/NAME', description: 'Only those of this pod.' },
    labels: { type: 'boolean', description: "Shows each target's labels, and those it was discovered with." },
    width: {
      type: 'string',
      value: 'COLUMNS',
      description: 'How wide to draw (default: the terminal; no limit elsewhere).',
    },
    json: { type: 'boolean', description: "Prints the agent's answer as it is instead." },
    ...questionOptions,
  },
  example: 'trawl targets --pod default/productpage-v1-7f4c',
  async run(args, terminal) {
    const podName = args.text('pod');
    if (podName !== undefined && !podNamePattern.test(podName))
      throw new UsageError('--pod needs a namespace and a name, as in default/productpage-v1-7f4c');
    const width = countOf(args, 'width', 1);
    const agent = agentOf(args, terminal);
    const answer = await askTargets(agent, podName);
    const isEmpty = answer.targets.length === 0 && answer.refused.length === 0;
    if (args.isSet('json')) {
      terminal.out(JSON.stringify(answer, null, 2));
      return isEmpty ? 1 : 0;
    }
    const isWhole = terminal.isTty !== true && width === undefined;
    const screen = screenOf(terminal, isWhole ? Number.MAX_SAFE_INTEGER : width);
    if (isEmpty) {
      for (const line of explainNothing(answer, podName, agent.urlOption, screen)) terminal.error(line);
      return 1;
    }
    const options = { screen, nowMs: Date.now(), showsLabels: args.isSet('labels') };
    const lines = [
      ...(answer.targets.length === 0 ? ['nothing is scraped'] : drawTargets(answer.targets, options)),
      ...drawFindings('refused', answer.refused, screen, 'red'),
      ...drawFindings('warnings', answer.warnings, screen, 'yellow'),
      ...answer.leftOut.flatMap(({ url, component, why }, i) => [
        ...(i === 0 ? ['', screen.paint('left out', 'dim')] : []),
        `  ${screen.show(url)} of ${screen.show(component)}: ${screen.show(why)}`,
      ]),
      ...sourceLines(answer, screen),
    ];
    for (const line of lines) terminal.out(line);
    return 0;
  },
};

function sourceLines({ sources }: TargetsAnswer, screen: Screen): string[] {
  if (sources.length === 0) return [];
  return [
    '',
    ...sources.map(({ name, healthy, state }) => {
      const text = `${name}: ${screen.show(state)}`;
      return healthy ? screen.paint(text, 'dim') : screen.paint(text, 'red');
    }),
  ];
}

/** Why there is nothing, and what to do next. */
function explainNothing(
  { sources, pods }: TargetsAnswer,
  podName: string | undefined,
  urlOption: string,
  screen: Screen,
): string[] {
  if (podName !== undefined) {
    return [
      `nothing is scraped of ${screen.show(podName)}`,
      `see why:  ${programName()} why pod ${screen.show(podName)}${urlOption}`,
    ];
  }
  const [source] = sources;
  if (source === undefined) {
    return [
      'nothing is scraped: there is no [[inputs.prom]] block, and no pods are discovered',
      'write one into conf.d/prom.conf, or let pods ask for it: [discovery] kubernetes = "on", or directory = "DIRECTORY" of pod manifests',
    ];
  }
  const state = `${source.name}: ${screen.show(source.state)}`;
  if (!source.healthy) return ['nothing is scraped', state];
  if (pods.length > 0) {
    const [first] = pods;
    const pod = screen.show(`${first?.namespace}/${first?.name}`);
    return ['nothing is scraped yet', state, `see why:  ${programName()} why pod ${pod}${urlOption}`];
  }
  return [
    'nothing is scraped: no pod that is known asks for it',
    state,
    'annotate one with datakit/prom.instances, or with prometheus.io/scrape: "true"; docs/how-to/scrape-pods.md says how',
  ];
}
