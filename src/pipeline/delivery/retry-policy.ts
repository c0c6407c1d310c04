/** When to send again, as pure functions: what a status means, what Retry-After says, how long to wait. */
import type { Delivery } from '../component.ts';

const firstDelayMs = 500;
const maxDelayMs = 30_000;
const maxRetryAfterMs = 300_000;
/** What an operator must mend (credentials, address) is tried once a minute. */
const holdMs = 60_000;

/**
 * The wait before attempt number `failures` + 1: full jitter under a ceiling that doubles from 500 ms to 30 s, so that a thousand agents
 * do not come back at once. `random` is in [0, 1).
 */
export function backoffMs(failures: number, random: number): number {
  const ceiling = Math.min(maxDelayMs, firstDelayMs * 2 ** Math.max(0, Math.min(failures - 1, 30)));
  return Math.floor(random * ceiling);
}

/** The milliseconds that a Retry-After header asks for: seconds or an HTTP date, at most 5 minutes. Undefined for anything else. */
export function parseRetryAfter(value: string | undefined, nowMs: number): number | undefined {
  const text = value?.trim() ?? '';
  if (/^\d+$/.test(text)) return Math.min(Number(text) * 1000, maxRetryAfterMs);
  if (!/^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? /.test(text)) return undefined;
  const atMs = Date.parse(text);
  if (Number.isNaN(atMs) || atMs <= nowMs) return undefined;
  return Math.min(atMs - nowMs, maxRetryAfterMs);
}

/** What a backend means by a status. `hold`: an operator must mend something; the data is kept meanwhile. */
export type StatusMeaning = 'delivered' | 'retry' | 'rejected' | 'hold';

/** About the body itself: sending it again cannot help. */
const rejectedStatuses: ReadonlySet<number> = new Set([400, 409, 411, 413, 414, 415, 422, 431, 501, 505]);

/** Sorts a status. A redirect is not followed, for it would carry credentials elsewhere: it holds. */
export function meaningOf(status: number): StatusMeaning {
  if (status >= 200 && status < 300) return 'delivered';
  if (rejectedStatuses.has(status)) return 'rejected';
  if (status === 408 || status === 425 || status === 429 || status >= 500) return 'retry';
  return 'hold';
}

export interface Answer {
  readonly status: number;
  readonly retryAfter: string | undefined;
  /** Who answered, without credentials, e.g. `http://zipkin:9411/api/v2/spans`. */
  readonly address: string;
  /** The beginning of the body, for whoever reads the error. */
  readonly text: string;
}

/** What an HTTP answer means for the body that was sent. */
export function deliveryOf(answer: Answer, nowMs: number): Delivery {
  const meaning = meaningOf(answer.status);
  if (meaning === 'delivered') return { kind: 'delivered' };
  const cause = new Error(sentence(answer, meaning));
  if (meaning === 'rejected') return { kind: 'rejected', cause };
  const askedMs = parseRetryAfter(answer.retryAfter, nowMs);
  if (meaning === 'hold') return { kind: 'retry', afterMs: Math.max(holdMs, askedMs ?? 0), cause };
  return askedMs === undefined ? { kind: 'retry', cause } : { kind: 'retry', afterMs: askedMs, cause };
}

function sentence({ status, address, text }: Answer, meaning: StatusMeaning): string {
  const said = text === '' ? '' : `: ${text}`;
  return `${address} answered ${status}${said}; ${advice(status, meaning)}`;
}

function advice(status: number, meaning: StatusMeaning): string {
  if (status === 401 || status === 403 || status === 407) {
    return 'credentials refused: check the headers configured for this output; data is kept, one attempt a minute';
  }
  if (status >= 300 && status < 400) return 'redirects are not followed: set url to where it points; data is kept';
  if (status === 404 || status === 405) return 'nothing takes data at this path: check url; data is kept';
  if (meaning === 'hold') return 'data is kept, one attempt a minute';
  if (meaning === 'rejected') return 'it will not take this body, which is not sent again';
  return 'will be sent again';
}
