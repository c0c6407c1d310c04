/** The elements of a JSON list as they are written, so that a list can be sent on in parts without a digit being changed. */

/** A text that is no list of JSON; `position` is where that showed, from 0. */
export class JsonListError extends Error {
  override readonly name = 'JsonListError';
  readonly position: number;
  constructor(message: string, position: number) {
    super(message);
    this.position = position;
  }
}

const blank = /\s*/y;

/** Each element's text. What is in them is not checked. Throws a JsonListError. */
export function listElements(text: string): string[] {
  const elements: string[] = [];
  let at = skipBlanks(text, 0);
  if (text[at] !== '[') throw new JsonListError('no list begins here', at);
  at = skipBlanks(text, at + 1);
  if (text[at] === ']') return elements;
  for (;;) {
    const end = endOfElement(text, at);
    const element = text.slice(at, end).trimEnd();
    if (element === '') throw new JsonListError('an element is missing', at);
    elements.push(element);
    if (text[end] === ']') return elements;
    at = skipBlanks(text, end + 1);
  }
}

/** A member's text as it is written in an object of JSON; undefined where there is none. Throws a JsonListError where the object does not end. */
export function memberText(text: string, name: string): string | undefined {
  let at = skipBlanks(text, 0);
  if (text[at] !== '{') return undefined;
  at = skipBlanks(text, at + 1);
  while (text[at] === '"') {
    const keyEnd = endOfString(text, at) + 1;
    const isWanted = text.slice(at + 1, keyEnd - 1) === name;
    const start = skipBlanks(text, skipBlanks(text, keyEnd) + 1);
    const end = endOfElement(text, start);
    if (isWanted) return text.slice(start, end).trimEnd();
    at = skipBlanks(text, end + 1);
  }
  return undefined;
}

function skipBlanks(text: string, from: number): number {
  blank.lastIndex = from;
  blank.test(text);
  return blank.lastIndex;
}

/** The comma or bracket behind the element that begins at `start`. */
function endOfElement(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const character = text[at];
    if (character === '"') at = endOfString(text, at);
    else if (character === '{' || character === '[') depth++;
    else if (character === '}' || character === ']') {
      if (depth-- === 0) return at;
    } else if (character === ',' && depth === 0) return at;
  }
  throw new JsonListError('the list does not end', text.length);
}

function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '"') return at;
  }
  throw new JsonListError('a string does not end', start);
}
