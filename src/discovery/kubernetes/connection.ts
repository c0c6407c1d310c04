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

/** Where the API server is and what to show it. Nothing is read before it is asked for. */
export interface KubernetesConnection {
  /** Such as `https://10.96.0.1:443`, without credentials; for sentences too. */
  readonly url: string;
  /** Read anew for each new connection pool: a CA may be rotated. */
  tls(): Promise<TlsCredentials>;
  /**
   * The whole value of the `authorization` header, undefined where a client certificate does. Never older than a minute;
   * `isRefused`: the last one was answered 401, so it is read again whatever its age.
   */
  authorization(isRefused: boolean): Promise<Secret | undefined>;
}
