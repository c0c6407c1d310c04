/** What a span's name or a log line may hold is a stranger's; a terminal obeys some of it. */

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about.
const controls = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** A text that moves no cursor, colours nothing and hides nothing: control and direction characters are shown as `�`. */
export const plain = (text: string): string => text.replace(controls, '\ufffd');

/** JSON that means the same, in which no character is left that a terminal obeys or hides. JSON itself has the first 32 escaped. */
export const plainJson = (json: string): string =>
  json.replace(
    /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
