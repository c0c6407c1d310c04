/** Compares what a command printed with the block beside it, in which `…` stands for what differs from run to run. */

/** Why the output is not what the document says, or undefined when it is. */
export function differenceOf(language: string, expected: string, output: string): string | undefined {
  if (language !== 'json') return textDifference(expected, output);
  let parsed: unknown;
  try {
    parsed = JSON.parse(output);
  } catch (error) {
    return `the answer is no JSON (${String(error)}):\n${output}`;
  }
  const difference = jsonDifference(JSON.parse(expected), parsed, '$');
  return difference === undefined ? undefined : `${difference}; the answer is:\n${output}`;
}

/** Line by line; a line that is `…` alone stands for any number of lines. */
function textDifference(expected: string, output: string): string | undefined {
  const lines = expected.trim().split('\n');
  const pattern = lines
    .map((line) => (line.trim() === '…' ? '(?:.*\n)*?' : `${patternOf(line.trimEnd())}[ \t]*\n`))
    .join('');
  const actual = `${output.replaceAll('\r\n', '\n').trim()}\n`;
  return new RegExp(`^${pattern}$`).test(actual) ? undefined : `expected:\n${expected}\ngot:\n${output}`;
}

const patternOf = (line: string): string =>
  line
    .split('…')
    .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('.*');

/** `"…"` stands for any value; as the last element of a list for any rest; as a key for any further keys. */
export function jsonDifference(expected: unknown, actual: unknown, path: string): string | undefined {
  if (expected === '…') return undefined;
  if (typeof expected === 'string' && typeof actual === 'string' && expected.includes('…'))
    return new RegExp(`^${patternOf(expected)}$`, 's').test(actual) ? undefined : unequal(expected, actual, path);
  if (Array.isArray(expected) && Array.isArray(actual)) return listDifference(expected, actual, path);
  if (isRecord(expected) && isRecord(actual)) return recordDifference(expected, actual, path);
  return Object.is(expected, actual) ? undefined : unequal(expected, actual, path);
}

const unequal = (expected: unknown, actual: unknown, path: string) =>
  `${path} is ${JSON.stringify(actual)} and not ${JSON.stringify(expected)}`;

function listDifference(expected: readonly unknown[], actual: readonly unknown[], path: string): string | undefined {
  const isOpen = expected.at(-1) === '…';
  const wanted = isOpen ? expected.slice(0, -1) : expected;
  if (isOpen ? actual.length < wanted.length : actual.length !== wanted.length) return unequal(expected, actual, path);
  for (const [i, item] of wanted.entries()) {
    const difference = jsonDifference(item, actual[i], `${path}[${i}]`);
    if (difference !== undefined) return difference;
  }
  return undefined;
}

function recordDifference(
  expected: Readonly<Record<string, unknown>>,
  actual: Readonly<Record<string, unknown>>,
  path: string,
): string | undefined {
  const surplus = Object.keys(actual).filter((key) => !(key in expected));
  if (!('…' in expected) && surplus.length > 0) return `${path} has ${surplus.join(', ')} besides`;
  for (const [key, value] of Object.entries(expected)) {
    if (key === '…') continue;
    if (!(key in actual)) return `${path} has no ${key}`;
    const difference = jsonDifference(value, actual[key], `${path}.${key}`);
    if (difference !== undefined) return difference;
  }
  return undefined;
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
