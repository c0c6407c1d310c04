/** What a pattern costs, told from its text: compiling one that is refused must cost less than compiling it. */

/** A class of letters of all the world's scripts is hundreds of ranges. */
const unicodeClassWeight = 40;

interface Level {
  total: number;
  /** What a repetition that follows would repeat. */
  last: number;
  /** How often repetitions in it repeat something already. */
  lastTimes: number;
  mostTimes: number;
}

const startLevel = (): Level => ({ total: 0, last: 0, lastTimes: 1, mostTimes: 1 });

/** Where a class that begins at `start` ends; a `]` that comes first belongs to it. */
function classEnd(source: string, start: number): number {
  let at = start + 1;
  if (source[at] === '^') at++;
  if (source[at] === ']') at++;
  for (; at < source.length && source[at] !== ']'; at++) {
    if (source[at] === '\\') at++;
    else if (source.startsWith('[:', at)) at = Math.max(at, source.indexOf(':]', at) + 1);
  }
  return at;
}

const escapeWeight = (source: string, at: number): number =>
  /[pP]/.test(source[at + 1] ?? '') ? unicodeClassWeight : 1;

const repetition = /\{(\d+)(?:,(\d*))?\}/y;

/** More repetitions in each other no parser of RE2 takes, whatever they repeat. */
const maxTimes = 1000;

/** About how many steps of a machine the pattern becomes: its characters, each as often as counted repetitions around it say. */
export function patternWeight(source: string): number {
  const levels: Level[] = [startLevel()];
  const top = (): Level => levels.at(-1) ?? startLevel();
  const add = (weight: number, times = 1): void => {
    const level = top();
    level.total += level.last;
    level.last = weight;
    level.lastTimes = times;
    level.mostTimes = Math.max(level.mostTimes, times);
  };
  for (let at = 0; at < source.length; at++) {
    const character = source[at];
    repetition.lastIndex = at;
    const repeated = character === '{' ? repetition.exec(source) : null;
    if (repeated !== null) {
      const [whole, least = '', most = ''] = repeated;
      const times = Math.max(1, Number(most || least));
      const level = top();
      level.last *= times;
      level.lastTimes *= times;
      if (level.lastTimes > maxTimes) return 0;
      level.mostTimes = Math.max(level.mostTimes, level.lastTimes);
      at += whole.length - 1;
    } else if (character === '\\') {
      add(escapeWeight(source, at));
      at++;
    } else if (character === '[') {
      const end = classEnd(source, at);
      const classes = source.slice(at, end).match(/\\[pP]/g)?.length ?? 0;
      add(1 + classes * unicodeClassWeight + (end - at) / 8);
      at = end;
    } else if (character === '(') levels.push(startLevel());
    else if (character === ')' && levels.length > 1) {
      const { total, last, mostTimes } = levels.pop() ?? startLevel();
      add(2 + total + last, mostTimes);
    } else add(1);
  }
  return Math.round(levels.reduce((sum, { total, last }) => sum + total + last, 0));
}
