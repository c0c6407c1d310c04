/**
 * Regular expressions of queries. They are run by the engine's RE2, whose time is linear in the text, never by JavaScript's; what is done
 * here is to check the syntax (RE2 as Go has it, which Prometheus and Loki promise), to anchor it safely, and to tell whether it matches the
 * empty string, which is what a label that is missing holds.
 */

export type CheckedRegex =
  | {
      readonly kind: 'ok';
      /** For the engine's `match`, unanchored; `.` matches newlines only where the caller says so. */
      readonly pattern: string;
      /** Whether the whole of it matches ''. */
      readonly matchesEmpty: boolean;
    }
  | { readonly kind: 'invalid'; readonly message: string };

/** Thrown inside the scan, turned into `invalid` at its edge. */
class RegexSyntaxError extends Error {}

const problem = (what: string, where: string): RegexSyntaxError =>
  new RegexSyntaxError(`error parsing regexp: ${what}: \`${where}\``);

/** What has been read of one group: whether the alternative at hand, and any before it, can match ''. */
interface Group {
  alternativeMatchesEmpty: boolean;
  earlierMatchesEmpty: boolean;
}

interface Scan {
  readonly source: string;
  position: number;
  output: string;
  readonly open: Group[];
  group: Group;
  /** The atom read last, until it is known whether a repetition follows it. */
  atom: { readonly matchesEmpty: boolean } | undefined;
  /** The repetition read last: one right after it is an error, as `a**` is. */
  repetition: string;
}

const maxRepeat = 1000;
const openers = /\(\?(?:P?<[A-Za-z_][0-9A-Za-z_]*>|([imsU]*(?:-[imsU]+)?)([:)]))/y;
const repeats = /\{(\d+)(?:(,)(\d*))?\}/y;
const posixClass = /\[:\^?([a-z]+):\]/y;
const posixNames: ReadonlySet<string> = new Set(
  'alnum alpha ascii blank cntrl digit graph lower print punct space upper word xdigit'.split(' '),
);
const namedEscapes: Readonly<Record<string, number>> = { a: 7, f: 12, n: 10, r: 13, t: 9, v: 11 };
const escapes =
  /\\(?:[AbBzdDsSwWafnrtv]|[pP](?:\{\^?[A-Za-z_]+\}|[A-Z])|x(?:[0-9A-Fa-f]{2}|\{[0-9A-Fa-f]+\})|0[0-7]{0,2}|[1-7][0-7]{1,2}|[!-/:-@[-`{-~])/y;
const classEscapes =
  /\\(?:[dDsSwWafnrtv]|[pP](?:\{\^?[A-Za-z_]+\}|[A-Z])|x(?:[0-9A-Fa-f]{2}|\{[0-9A-Fa-f]+\})|0[0-7]{0,2}|[1-7][0-7]{1,2}|[!-/:-@[-`{-~])/y;

const createGroup = (): Group => ({ alternativeMatchesEmpty: true, earlierMatchesEmpty: false });

function matchAt(scan: Scan, expression: RegExp): RegExpExecArray | undefined {
  expression.lastIndex = scan.position;
  return expression.exec(scan.source) ?? undefined;
}

/** Copies `text` to the output and moves behind it. */
function copy(scan: Scan, text: string): void {
  scan.output += text;
  scan.position += text.length;
}

/** Adds the pending atom to the alternative: all of its atoms must be able to match '' for it to. */
function settleAtom(scan: Scan): void {
  if (scan.atom !== undefined && !scan.atom.matchesEmpty) scan.group.alternativeMatchesEmpty = false;
  scan.atom = undefined;
  scan.repetition = '';
}

function putAtom(scan: Scan, text: string, matchesEmpty: boolean): void {
  settleAtom(scan);
  copy(scan, text);
  scan.atom = { matchesEmpty };
}

/** The character that an escape stands for; undefined for one that stands for many, as `\\d` does. */
function escapedPoint(sequence: string): number | undefined {
  const body = sequence.slice(1);
  const named = namedEscapes[body];
  if (named !== undefined) return named;
  if (body.startsWith('x')) return Number.parseInt(body.replace(/[x{}]/g, ''), 16);
  if (/^[0-7]+$/.test(body)) return Number.parseInt(body, 8);
  return /^[A-Za-z]/.test(body) ? undefined : body.codePointAt(0);
}

/** What RE2 knows beyond the shape of an escape: how far Unicode goes, and its classes by name. */
function checkEscape(sequence: string): void {
  if (sequence.startsWith('\\x') && (escapedPoint(sequence) ?? 0) > 0x10ffff) {
    throw problem('invalid escape sequence', sequence);
  }
  const name = /^\\[pP]\{?\^?([A-Za-z_]+)/.exec(sequence)?.[1];
  if (name !== undefined && !isUnicodeClass(name)) throw problem('invalid character class range', sequence);
}

function isUnicodeClass(name: string): boolean {
  if (name === 'Any') return true;
  return ['gc', 'sc'].some((property) => {
    try {
      return new RegExp(`\\p{${property}=${name}}`, 'u') !== undefined;
    } catch {
      // JavaScript has no other way of telling which classes there are.
      return false;
    }
  });
}

/** One member of a class: its text, and its character unless it stands for many. */
interface Member {
  readonly text: string;
  readonly point: number | undefined;
}

function memberAt(source: string, position: number, start: number): Member {
  if (position >= source.length) throw problem('missing closing ]', source.slice(start));
  posixClass.lastIndex = position;
  const named = posixClass.exec(source);
  if (named !== null) {
    if (!posixNames.has(named[1] ?? '')) throw problem('invalid character class range', named[0]);
    return { text: named[0], point: undefined };
  }
  if (source[position] === '\\') {
    classEscapes.lastIndex = position;
    const sequence = classEscapes.exec(source)?.[0];
    if (sequence === undefined) throw problem('invalid escape sequence', source.slice(position, position + 2));
    checkEscape(sequence);
    return { text: sequence, point: escapedPoint(sequence) };
  }
  const point = source.codePointAt(position) ?? 0;
  return { text: String.fromCodePoint(point), point };
}

function readClass(scan: Scan): void {
  const { source, position: start } = scan;
  let position = start + 1;
  if (source[position] === '^') position++;
  for (let isFirst = true; isFirst || source[position] !== ']'; isFirst = false) {
    const least = memberAt(source, position, start);
    position += least.text.length;
    const isRange = source[position] === '-' && source[position + 1] !== ']' && position + 1 < source.length;
    if (!isRange || least.point === undefined) continue;
    const most = memberAt(source, position + 1, start);
    if (most.point === undefined || most.point < least.point) {
      throw problem('invalid character class range', `${least.text}-${most.text}`);
    }
    position += 1 + most.text.length;
  }
  putAtom(scan, source.slice(start, position + 1), false);
}

/** `\Q…\E` is written out, because without its end it would swallow what the caller puts behind the pattern. */
function readQuoted(scan: Scan): void {
  const start = scan.position + 2;
  const found = scan.source.indexOf('\\E', start);
  const end = found === -1 ? scan.source.length : found;
  scan.position = found === -1 ? end : end + 2;
  for (const char of scan.source.slice(start, end)) {
    settleAtom(scan);
    scan.output += /[\\.+*?()|[\]{}^$]/.test(char) ? `\\${char}` : char;
    scan.atom = { matchesEmpty: false };
  }
}

function readEscape(scan: Scan): void {
  if (scan.source.startsWith('\\Q', scan.position)) {
    readQuoted(scan);
    return;
  }
  if (scan.position + 1 >= scan.source.length) throw problem('trailing backslash at end of expression', '');
  const found = matchAt(scan, escapes);
  if (found === undefined)
    throw problem('invalid escape sequence', scan.source.slice(scan.position, scan.position + 2));
  checkEscape(found[0]);
  // Of the assertions only \b fails on the empty text; whatever else is no assertion takes a character.
  putAtom(scan, found[0], found[0] === '\\A' || found[0] === '\\B' || found[0] === '\\z');
}

function openGroup(scan: Scan): void {
  settleAtom(scan);
  let opener = '(';
  if (scan.source.startsWith('(?', scan.position)) {
    const found = matchAt(scan, openers);
    if (found === undefined) {
      throw problem('invalid or unsupported Perl syntax', scan.source.slice(scan.position, scan.position + 3));
    }
    opener = found[0];
    if (found[2] === ')') {
      copy(scan, opener);
      return;
    }
  }
  scan.open.push(scan.group);
  scan.group = createGroup();
  copy(scan, opener);
}

function closeGroup(scan: Scan): void {
  settleAtom(scan);
  const outer = scan.open.pop();
  if (outer === undefined) throw problem('unexpected )', scan.source);
  const matchesEmpty = scan.group.alternativeMatchesEmpty || scan.group.earlierMatchesEmpty;
  scan.group = outer;
  putAtom(scan, ')', matchesEmpty);
}

function closeAlternative(scan: Scan): void {
  settleAtom(scan);
  scan.group.earlierMatchesEmpty ||= scan.group.alternativeMatchesEmpty;
  scan.group.alternativeMatchesEmpty = true;
  copy(scan, '|');
}

/** Reads `*`, `+`, `?` or `{n,m}`, lazy or not. False when a `{` is just a brace. */
function readRepetition(scan: Scan): boolean {
  const char = scan.source[scan.position] ?? '';
  let operator = char;
  let isOptional = char !== '+';
  if (char === '{') {
    const found = matchAt(scan, repeats);
    if (found === undefined) return false;
    operator = found[0];
    const least = Number(found[1]);
    const most = found[3] === undefined || found[3] === '' ? least : Number(found[3]);
    if (least > maxRepeat || most > maxRepeat || least > most) throw problem('invalid repeat count', operator);
    isOptional = least === 0;
  }
  if (scan.source[scan.position + operator.length] === '?') operator += '?';
  if (scan.repetition !== '') throw problem('invalid nested repetition operator', scan.repetition + operator);
  if (scan.atom === undefined) throw problem('missing argument to repetition operator', operator);
  copy(scan, operator);
  scan.atom = { matchesEmpty: isOptional || scan.atom?.matchesEmpty === true };
  scan.repetition = operator;
  return true;
}

function readNext(scan: Scan): void {
  const char = scan.source[scan.position] ?? '';
  if (char === '\\') readEscape(scan);
  else if (char === '[') readClass(scan);
  else if (char === '(') openGroup(scan);
  else if (char === ')') closeGroup(scan);
  else if (char === '|') closeAlternative(scan);
  else if ('*+?{'.includes(char) && readRepetition(scan)) return;
  else putAtom(scan, char, char === '^' || char === '$');
}

/** Checks a pattern of RE2's syntax; its errors read as Go's `regexp` words them. */
export function checkRegex(source: string): CheckedRegex {
  const scan: Scan = {
    source,
    position: 0,
    output: '',
    open: [],
    group: createGroup(),
    atom: undefined,
    repetition: '',
  };
  try {
    while (scan.position < source.length) readNext(scan);
    settleAtom(scan);
    if (scan.open.length > 0) throw problem('missing closing )', source);
  } catch (error) {
    if (error instanceof RegexSyntaxError) return { kind: 'invalid', message: error.message };
    throw error;
  }
  return {
    kind: 'ok',
    pattern: scan.output,
    matchesEmpty: scan.group.alternativeMatchesEmpty || scan.group.earlierMatchesEmpty,
  };
}
