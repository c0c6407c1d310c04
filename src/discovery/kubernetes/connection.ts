/** Where a Kubernetes API server is and how to prove who asks. */
import type { Secret } from '../../config/secret.ts';

/** What TLS needs, as PEM; nothing for plain http. */
export interface TlsCredentials {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly serverName?: string;
  readonly isUnverified?: boolean;
}

/** Where to ask, and what to show. */
export interface Credentials {
  /** Such as `https://10.96.0.1:443`. */
  readonly url: string;
  readonly tls: TlsCredentials;
  /** The whole value of the `authorization` header; undefined where a client certificate does. */
  readonly authorization: Secret | undefined;
}

/** A way to an API server. Nothing is read before it is asked for. */
export interface KubernetesConnection {
  /** For sentences; without credentials. */
  readonly name: string;
  /**
   * Never older than a minute, since tokens and CAs are rotated in their files; `isRefused`: the last ones were answered 401, so they are
   * read again whatever their age. Throws an `Error` that says what is missing and what to do.
   */
  credentials(isRefused: boolean): Promise<Credentials>;
}

/** How long what was read is good: kubelet replaces a token when a fifth of its life is left, which is minutes at least. */
export const credentialsAgeMs = 60_000;
