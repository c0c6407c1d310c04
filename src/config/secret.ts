/** A value that no printer shows: text, JSON, template strings and `util.inspect` all give `[REDACTED]`. */
import { inspect } from 'node:util';

export const redacted = '[REDACTED]';

export interface Secret {
  /** The value itself, for the one place that sends it. */
  reveal(): string;
  toString(): string;
  toJSON(): string;
}

const known = new WeakSet<object>();

/** Wraps a value: `` `${createSecret('x')}` `` is `[REDACTED]`, `createSecret('x').reveal()` is `x`. */
export function createSecret(value: string): Secret {
  const hide = () => redacted;
  const secret: Secret = Object.freeze({
    reveal: () => value,
    toString: hide,
    toJSON: hide,
    valueOf: hide,
    [Symbol.toPrimitive]: hide,
    [inspect.custom]: hide,
  });
  known.add(secret);
  return secret;
}

/** Whether a value was made by `createSecret`. */
export function isSecret(value: unknown): value is Secret {
  return typeof value === 'object' && value !== null && known.has(value);
}

/** Shorter ones are words that a text may hold by chance. */
const leastHiddenLength = 4;

/**
 * A text that somebody else wrote, without the secrets that he was sent: a backend that repeats a token it does not know must not bring
 * it into a log. Of `Bearer TOKEN` the token alone is hidden as well.
 */
export function withoutSecrets(text: string, secrets: readonly Secret[]): string {
  const values = secrets.flatMap((secret) => [secret.reveal(), ...secret.reveal().split(' ').slice(1)]);
  return values
    .filter((value) => value.length >= leastHiddenLength)
    .sort((a, b) => b.length - a.length)
    .reduce((hidden, value) => hidden.replaceAll(value, redacted), text);
}
