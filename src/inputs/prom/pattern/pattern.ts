/**
 * Regular expressions whose time grows with the text and the pattern, never worse: JavaScript's own can take minutes for
 * `^(a+)+$`, and both patterns and texts may come from strangers (pods' annotations, scraped labels). All ways through the pattern are
 * followed at once, character by character, as RE2 does.
 */
import type { CharacterTest } from './character-class.ts';
import { type Assertion, type Node, PatternError, parsePattern } from './syntax.ts';

export interface Pattern {
  readonly source: string;
  /** Whether it is found, anywhere in the text unless it is anchored. */
  test(text: string): boolean;
  /** What its groups took, the whole match first; undefined where it is not found. A group that took no part is ''. */
  match(text: string): readonly string[] | undefined;
  /** The numbers of groups that have a name. */
  readonly names: ReadonlyMap<string, number>;
}

export type CompiledPattern =
  | { readonly ok: true; readonly pattern: Pattern }
  | { readonly ok: false; readonly message: string };

type Step =
  | { readonly kind: 'character'; readonly test: CharacterTest }
  | { readonly kind: 'assertion'; readonly assertion: Assertion }
  | { readonly kind: 'save'; readonly slot: number }
  | { kind: 'fork'; first: number; second: number }
  | { kind: 'jump'; to: number }
  | { readonly kind: 'found' };

/** Repetitions are written out: `(a{1000}){1000}` would be a million steps. */
const maxSteps = 5_000;
const maxSourceLength = 10_000;
const lineFeed = 0x0a;

/** Compiles a pattern; what cannot be compiled is told in a sentence that follows the name of a key. */
export function compilePattern(
  source: string,
  options: { readonly isAnchored: boolean; readonly dotTakesNewline?: boolean },
): CompiledPattern {
  try {
    if (source.length > maxSourceLength) throw new PatternError(`is longer than ${maxSourceLength} characters`);
    const { node, groups, names } = parsePattern(source, { dotTakesNewline: options.dotTakesNewline ?? false });
    const steps = compile(node);
    const find = createFinder(steps, { slots: 2 * (groups + 1), isAnchored: options.isAnchored });
    return {
      ok: true,
      pattern: {
        source,
        names,
        test: (text) => find(text, false) !== undefined,
        match(text) {
          const slots = find(text, true);
          if (slots === undefined) return undefined;
          return Array.from({ length: groups + 1 }, (_, group) => {
            const start = slots[2 * group] ?? -1;
            const end = slots[2 * group + 1] ?? -1;
            return start < 0 || end < 0 ? '' : text.slice(start, end);
          });
        },
      },
    };
  } catch (error) {
    if (error instanceof PatternError) return { ok: false, message: error.message };
    throw error;
  }
}

function compile(whole: Node): readonly Step[] {
  const steps: Step[] = [];
  const add = <S extends Step>(step: S): S => {
    if (steps.length >= maxSteps)
      throw new PatternError(`is too large: written out it has more than ${maxSteps} steps`);
    steps.push(step);
    return step;
  };
  const fork = () => add({ kind: 'fork', first: -1, second: -1 } as const satisfies Step as Step & { kind: 'fork' });
  /** Sends a fork into what follows it, or past it. */
  const setFork = (step: Step & { kind: 'fork' }, into: number, past: number, isLazy: boolean) => {
    step.first = isLazy ? past : into;
    step.second = isLazy ? into : past;
  };
  const emitRepeat = ({ node, min, max, isLazy }: Extract<Node, { kind: 'repeat' }>) => {
    const isEndless = max === Number.POSITIVE_INFINITY;
    for (let n = 0; n < (isEndless ? min - 1 : min); n++) emit(node);
    if (isEndless) {
      // `x*` as `(?:x+)?`, as Go has it: it matters where x takes nothing.
      const skip = min === 0 ? fork() : undefined;
      const start = steps.length;
      emit(node);
      const loop = fork();
      setFork(loop, start, steps.length, isLazy);
      if (skip !== undefined) setFork(skip, start, steps.length, isLazy);
      return;
    }
    const forks: [number, Step & { kind: 'fork' }][] = [];
    for (let n = min; n < max; n++) {
      forks.push([steps.length + 1, fork()]);
      emit(node);
    }
    for (const [into, step] of forks) setFork(step, into, steps.length, isLazy);
  };
  const emitChoice = (nodes: readonly Node[]) => {
    const jumps: (Step & { kind: 'jump' })[] = [];
    nodes.forEach((node, at) => {
      const isLast = at === nodes.length - 1;
      const step = isLast ? undefined : fork();
      const start = steps.length;
      emit(node);
      if (!isLast) jumps.push(add({ kind: 'jump', to: -1 }));
      if (step !== undefined) setFork(step, start, steps.length, false);
    });
    for (const jump of jumps) jump.to = steps.length;
  };
  const emit = (node: Node): void => {
    switch (node.kind) {
      case 'empty':
        return;
      case 'character':
        add({ kind: 'character', test: node.test });
        return;
      case 'assertion':
        add({ kind: 'assertion', assertion: node.assertion });
        return;
      case 'sequence':
        for (const one of node.nodes) emit(one);
        return;
      case 'choice':
        emitChoice(node.nodes);
        return;
      case 'capture':
        add({ kind: 'save', slot: 2 * node.group });
        emit(node.node);
        add({ kind: 'save', slot: 2 * node.group + 1 });
        return;
      case 'repeat':
        emitRepeat(node);
    }
  };
  emit(whole);
  add({ kind: 'found' });
  return steps;
}

const isWordCode = (code: number | undefined): boolean =>
  code !== undefined &&
  ((code >= 0x30 && code <= 0x39) || (code >= 0x41 && code <= 0x5a) || code === 0x5f || (code >= 0x61 && code <= 0x7a));

function holds(assertion: Assertion, text: string, at: number): boolean {
  const before = at > 0 ? text.charCodeAt(at - 1) : undefined;
  const after = at < text.length ? text.charCodeAt(at) : undefined;
  switch (assertion) {
    case 'begin':
      return before === undefined;
    case 'end':
      return after === undefined;
    case 'begin_line':
      return before === undefined || before === lineFeed;
    case 'end_line':
      return after === undefined || after === lineFeed;
    case 'word':
      return isWordCode(before) !== isWordCode(after);
    case 'no_word':
      return isWordCode(before) === isWordCode(after);
  }
}

/** Ways through the pattern that are at the same character, the preferred first. */
interface Ways {
  readonly steps: number[];
  readonly slots: (readonly number[])[];
}

function createFinder(steps: readonly Step[], options: { readonly slots: number; readonly isAnchored: boolean }) {
  const seenAt = new Int32Array(steps.length);
  let generation = 0;

  /** Follows a way until it wants a character. The stack stands for recursion, which a long pattern would make too deep. */
  const follow = (ways: Ways, from: number, text: string, at: number, given: readonly number[], keeps: boolean) => {
    const stack: [number, readonly number[]][] = [[from, given]];
    for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
      const [number, slots] = top;
      const step = steps[number];
      if (step === undefined || seenAt[number] === generation) continue;
      seenAt[number] = generation;
      if (step.kind === 'jump') stack.push([step.to, slots]);
      else if (step.kind === 'fork') stack.push([step.second, slots], [step.first, slots]);
      else if (step.kind === 'save') stack.push([number + 1, keeps ? slots.with(step.slot, at) : slots]);
      else if (step.kind === 'assertion') {
        if (holds(step.assertion, text, at)) stack.push([number + 1, slots]);
      } else {
        ways.steps.push(number);
        ways.slots.push(slots);
      }
    }
  };

  return (text: string, keeps: boolean): readonly number[] | undefined => {
    const empty: readonly number[] = keeps ? new Array<number>(options.slots).fill(-1) : [];
    let found: readonly number[] | undefined;
    let ways: Ways = { steps: [], slots: [] };
    generation++;
    follow(ways, 0, text, 0, keeps ? empty.with(0, 0) : empty, keeps);
    for (let at = 0; ; ) {
      const code = at < text.length ? text.codePointAt(at) : undefined;
      const next = at + (code !== undefined && code > 0xffff ? 2 : 1);
      const coming: Ways = { steps: [], slots: [] };
      generation++;
      for (let n = 0; n < ways.steps.length; n++) {
        const number = ways.steps[n] ?? 0;
        const step = steps[number];
        const slots = ways.slots[n] ?? empty;
        if (step?.kind === 'character') {
          if (code !== undefined && step.test(code)) follow(coming, number + 1, text, next, slots, keeps);
        } else if (step?.kind === 'found' && (!options.isAnchored || at === text.length)) {
          found = keeps ? slots.with(1, at) : slots;
          if (!keeps) return found;
          // Ways after this one are preferred less.
          break;
        }
      }
      if (code === undefined) return found;
      at = next;
      ways = coming;
      if (!options.isAnchored && found === undefined) {
        follow(ways, 0, text, at, keeps ? empty.with(0, at) : empty, keeps);
      }
      if (ways.steps.length === 0 && (options.isAnchored || found !== undefined)) return found;
    }
  };
}
