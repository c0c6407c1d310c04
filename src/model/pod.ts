/** A pod as far as anything here asks: what is kept of it is small, since a node has hundreds and a cluster thousands. */

export interface PodPort {
  /** '' where it has none. */
  readonly name: string;
  readonly port: number;
  readonly protocol: string;
}

export interface PodContainer {
  readonly name: string;
  readonly ports: readonly PodPort[];
}

export type PodPhase = 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown';

export interface Pod {
  /** Tells a pod from a later one of the same name. Where a manifest has none, `namespace/name`. */
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly nodeName: string;
  readonly phase: PodPhase;
  /** The first of `ips`, '' before the pod has one. */
  readonly ip: string;
  readonly ips: readonly string[];
  readonly hostIp: string;
  readonly isOnHostNetwork: boolean;
  /** Somebody has asked to delete it: it is going, whatever its phase says. */
  readonly isBeingDeleted: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** Only those that something here reads: of other programs' annotations nothing is kept. */
  readonly annotations: Readonly<Record<string, string>>;
  readonly containers: readonly PodContainer[];
  /** The kind and name of what made it, '' where nothing did. */
  readonly ownerKind: string;
  readonly ownerName: string;
}
