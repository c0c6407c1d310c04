/** What a backend said, made fit for logs, status and health: one short line that gives away none of the secrets that the backend was shown. */
import { createSecret, type Secret, withoutSecrets } from '../../config/secret.ts';

/** More of an answer than this is of no use to anybody. */
export const maxAnswerBytes = 4096;
const maxShownLength = 300;
/** Shorter values of a URL's query are flags and numbers, which a text may hold by chance. */
const leastQueryLength = 8;

/** Secrets that lie in an address: some backends take their token in the query. */
export function secretsOfUrl(url: string): readonly Secret[] {
  const { search, searchParams } = new URL(url);
  const raw = search
    .slice(1)
    .split('&')
    .map((pair) => pair.slice(pair.indexOf('=') + 1));
  return [search, ...raw, ...searchParams.values()].filter((text) => text.length >= leastQueryLength).map(createSecret);
}

/**
 * The beginning of a backend's answer as one line without control characters. `isCut` says that there was more: what may be the first half
 * of a secret at the end is then left out as well.
 */
export function backendText(bytes: Uint8Array, options: { isCut: boolean; secrets: readonly Secret[] }): string {
  const { isCut, secrets } = options;
  const text = Buffer.from(bytes).toString('utf8');
  const whole = isCut ? text.slice(0, text.length - halfSecretLength(text, secrets)) : text;
  // Hidden before it is shortened, so that no half of a secret is left at the end.
  const line = withoutSecrets(whole, secrets)
    .replace(/[\p{Cc}\s]+/gu, ' ')
    .trim();
  return line.length > maxShownLength ? `${line.slice(0, maxShownLength)}…` : line;
}

/** How many characters at the end of the text are the beginning of a secret, or of one of its words. */
function halfSecretLength(text: string, secrets: readonly Secret[]): number {
  let longest = 0;
  for (const value of secrets.flatMap((secret) => [secret.reveal(), ...secret.reveal().split(' ').slice(1)])) {
    for (let length = Math.min(value.length - 1, text.length); length > longest; length--) {
      if (text.endsWith(value.slice(0, length))) longest = length;
    }
  }
  return longest;
}
