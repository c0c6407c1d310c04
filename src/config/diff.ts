/** What a reload has to do: which blocks came, went, changed, or stay as they run. */
import type { ComponentBlock, ComponentKind, Configuration } from './load.ts';
import { isSecret } from './secret.ts';

/** A block before and after. */
export interface BlockPair<Kind> {
  readonly from: ComponentBlock<Kind>;
  readonly to: ComponentBlock<Kind>;
}

export interface BlocksDiff<Kind> {
  readonly added: readonly ComponentBlock<Kind>[];
  readonly removed: readonly ComponentBlock<Kind>[];
  /** Same kind, other content. */
  readonly changed: readonly BlockPair<Kind>[];
  /** Same kind and content; the block may have another number or stand in another file. */
  readonly unchanged: readonly BlockPair<Kind>[];
}

export interface ConfigurationDiff<InputKind, OutputKind> {
  /** Keys of the main file whose values differ, e.g. `http.listen`. */
  readonly mainKeys: readonly string[];
  readonly inputs: BlocksDiff<InputKind>;
  readonly outputs: BlocksDiff<OutputKind>;
  readonly isEmpty: boolean;
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/** Whether two checked configurations mean the same; secrets are compared by what they hold. */
export function isSameConfig(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (isSecret(a) || isSecret(b)) return isSecret(a) && isSecret(b) && a.reveal() === b.reveal();
  if (a instanceof Date && b instanceof Date) return a.getTime() === b.getTime();
  if (Array.isArray(a) || Array.isArray(b)) {
    return (
      Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, i) => isSameConfig(item, b[i]))
    );
  }
  if (!isObject(a) || !isObject(b)) return false;
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...keys].every((key) => isSameConfig(a[key], b[key]));
}

function diffBlocks<Kind extends ComponentKind>(
  before: readonly ComponentBlock<Kind>[],
  after: readonly ComponentBlock<Kind>[],
): BlocksDiff<Kind> {
  const left = new Set(before);
  const arrived = new Set(after);
  const pairUp = (isPair: (from: ComponentBlock<Kind>, to: ComponentBlock<Kind>) => boolean): BlockPair<Kind>[] => {
    const pairs: BlockPair<Kind>[] = [];
    for (const to of arrived) {
      const from = [...left].find((candidate) => candidate.kind.type === to.kind.type && isPair(candidate, to));
      if (from === undefined) continue;
      left.delete(from);
      arrived.delete(to);
      pairs.push({ from, to });
    }
    return pairs;
  };
  // The same name first, so that of two equal blocks each keeps its own.
  const unchanged = [
    ...pairUp((from, to) => from.name === to.name && isSameConfig(from.config, to.config)),
    ...pairUp((from, to) => isSameConfig(from.config, to.config)),
  ];
  const changed = [...pairUp((from, to) => from.name === to.name), ...pairUp(() => true)];
  return { added: [...arrived], removed: [...left], changed, unchanged };
}

function diffKeys(before: unknown, after: unknown, path: string): string[] {
  if (isSameConfig(before, after)) return [];
  const areTables = [before, after].every((value) => isObject(value) && !Array.isArray(value) && !isSecret(value));
  if (!areTables || !isObject(before) || !isObject(after)) return [path];
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].flatMap((key) => diffKeys(before[key], after[key], path === '' ? key : `${path}.${key}`));
}

/** Compares two configurations; a block is known by its kind and content, not by its place. */
export function diffConfigurations<InputKind extends ComponentKind, OutputKind extends ComponentKind>(
  before: Configuration<InputKind, OutputKind>,
  after: Configuration<InputKind, OutputKind>,
): ConfigurationDiff<InputKind, OutputKind> {
  const mainKeys = diffKeys(before.main, after.main, '');
  const inputs = diffBlocks(before.inputs, after.inputs);
  const outputs = diffBlocks(before.outputs, after.outputs);
  const changes = [inputs, outputs].flatMap((diff) => [diff.added, diff.removed, diff.changed]);
  return { mainKeys, inputs, outputs, isEmpty: mainKeys.length === 0 && changes.every((list) => list.length === 0) };
}
