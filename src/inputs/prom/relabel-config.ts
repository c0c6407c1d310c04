/** The keys of one rule of `relabel_configs` and `metric_relabel_configs`, as Prometheus has them. */
import { z } from 'zod';
import { pattern } from '../../config/fields.ts';
import { compilePattern } from '../../pattern/pattern.ts';
import { type RelabelRule, relabelActions } from './relabel.ts';

const defaults = { separator: ';', regex: '(.*)', replacement: '$1' };

const fields = z.strictObject({
  action: z
    .string()
    .transform((action) => action.toLowerCase())
    .pipe(z.enum(relabelActions))
    .default('replace')
    .describe(
      'What the rule does: `replace`, `keep`, `drop`, `keepequal`, `dropequal`, `hashmod`, `labelmap`, `labeldrop`, `labelkeep`, `lowercase` or `uppercase`.',
    ),
  source_labels: z.array(z.string()).default([]).describe('The labels whose values are joined and matched.'),
  separator: z.string().default(defaults.separator).describe('Stands between the joined values.'),
  regex: pattern({ isAnchored: true })
    .default(defaults.regex)
    .describe('What the joined values, or the names of labels, must match as a whole.'),
  target_label: z.string().default('').describe('The label that is written, or compared.'),
  replacement: z
    .string()
    .default(defaults.replacement)
    .describe('What is written: `$1` stands for what the first group of `regex` took. Empty takes the label off.'),
  modulus: z.int().min(0).default(0).describe('For `hashmod`: the number of shards.'),
});
type Fields = z.infer<typeof fields>;

const needsTarget: readonly Fields['action'][] = [
  'replace',
  'hashmod',
  'lowercase',
  'uppercase',
  'keepequal',
  'dropequal',
];

/** What Prometheus refuses too. */
function problemOf(rule: Fields): readonly [key: keyof Fields, message: string] | undefined {
  const { action } = rule;
  if (action === 'hashmod' && rule.modulus === 0) return ['modulus', 'must be above 0 for "hashmod"'];
  if (needsTarget.includes(action) && rule.target_label === '') {
    return ['target_label', `is needed for "${action}"`];
  }
  if (action !== 'replace' && needsTarget.includes(action) && rule.target_label.includes('$')) {
    return ['target_label', `must be a name for "${action}"; only "replace" takes $1 here`];
  }
  if (action === 'labelmap' && rule.replacement === '') return ['replacement', 'is needed for "labelmap"'];
  const fixed: readonly (keyof typeof defaults)[] =
    action === 'lowercase' || action === 'uppercase'
      ? ['replacement']
      : action === 'keepequal' || action === 'dropequal'
        ? ['regex', 'replacement', 'separator']
        : action === 'labeldrop' || action === 'labelkeep'
          ? ['replacement', 'separator']
          : [];
  for (const key of fixed) if (rule[key] !== defaults[key]) return [key, `has no meaning for "${action}"`];
  const isByName = action === 'labeldrop' || action === 'labelkeep';
  if (isByName && rule.source_labels.length > 0) return ['source_labels', `has no meaning for "${action}"`];
  if (isByName && rule.target_label !== '') return ['target_label', `has no meaning for "${action}"`];
  return undefined;
}

/** One rule. */
export const relabelRule = fields.superRefine((rule, context) => {
  const problem = problemOf(rule);
  if (problem !== undefined) context.addIssue({ code: 'custom', path: [problem[0]], message: problem[1] });
});
export type RelabelRuleConfig = z.infer<typeof relabelRule>;

/** The rules that their checked keys make. */
export function createRelabelRules(configs: readonly RelabelRuleConfig[]): readonly RelabelRule[] {
  return configs.map((config) => {
    const compiled = compilePattern(config.regex, { isAnchored: true, dotTakesNewline: true });
    if (!compiled.ok) throw new Error(`regex ${compiled.message}`);
    return {
      action: config.action,
      sourceLabels: config.source_labels,
      separator: config.separator,
      pattern: compiled.pattern,
      targetLabel: config.target_label,
      replacement: config.replacement,
      modulus: config.modulus,
    };
  });
}
