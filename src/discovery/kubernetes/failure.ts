/** Why an API server gave no answer, or not the one that was asked for, in words that say what to do. */

export type FailureKind =
  /** No credentials could be read. */
  | 'credentials'
  /** No connection, or one that broke. */
  | 'unreachable'
  /** An own deadline has passed. */
  | 'timeout'
  | 'unauthorized'
  | 'forbidden'
  | 'not_found'
  /** The version or the page is too old: a new list. */
  | 'expired'
  /** Options that this server does not take. */
  | 'options'
  | 'busy'
  | 'server'
  /** An answer that cannot be read. */
  | 'protocol';

export interface FailureOptions extends ErrorOptions {
  /** How long the server wants to be left alone. */
  readonly retryAfterMs?: number;
}

/** What went wrong. The message holds no secret. */
export class ApiFailure extends Error {
  readonly kind: FailureKind;
  readonly retryAfterMs: number;

  constructor(kind: FailureKind, message: string, options: FailureOptions = {}) {
    super(message, options);
    this.name = 'ApiFailure';
    this.kind = kind;
    this.retryAfterMs = options.retryAfterMs ?? 0;
  }
}

const kindsByStatus: Readonly<Record<number, FailureKind>> = {
  400: 'options',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not_found',
  410: 'expired',
  422: 'options',
  429: 'busy',
  503: 'busy',
};

/** The kind of failure that a status means. */
export const kindOfStatus = (status: number): FailureKind => kindsByStatus[status] ?? 'server';

const needed = 'a ClusterRole with apiGroups [""], resources ["pods"], verbs ["get", "list", "watch"]';

/** What a refusal means and what to do about it; `said` is the server's own text. */
export function explainStatus(status: number, said: string, name: string): string {
  const text = said === '' ? '' : `: ${said}`;
  switch (kindOfStatus(status)) {
    case 'unauthorized':
      return `${name} does not take the token (401${text}); it has been read anew, and will be again. Is it of this cluster, and is the service account still there?`;
    case 'forbidden': {
      const account = /User "([^"]*)"/.exec(said)?.[1];
      const verb = /cannot (\w+) resource/.exec(said)?.[1];
      if (account === 'system:anonymous') {
        return `${name} got no credentials and lets nobody unknown in (403${text}); check the token or client certificate`;
      }
      const missing = verb === undefined ? '' : `the verb "${verb}" on pods is missing; `;
      return `${name} does not permit it (403${text}); ${missing}give ${account ?? 'the account'} ${needed}, by a ClusterRoleBinding`;
    }
    case 'not_found':
      return `${name} has no pods to list (404${text}); is that address a Kubernetes API server?`;
    case 'expired':
      return `${name} no longer has the version to go on from (${status}${text}); pods are listed anew`;
    case 'busy':
      return `${name} is busy (${status}${text})`;
    default:
      return `${name} answered ${status}${text}`;
  }
}

const maxRetryAfterMs = 300_000;

/** Reads `Retry-After`, seconds or a date; 0 where there is none. Never more than five minutes. */
export function retryAfterOf(header: string | string[] | undefined, nowMs: number): number {
  const text = (Array.isArray(header) ? header[0] : header)?.trim() ?? '';
  const delayMs = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowMs;
  return Number.isFinite(delayMs) ? Math.min(Math.max(0, delayMs), maxRetryAfterMs) : 0;
}
