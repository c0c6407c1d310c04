/** What is told about a pod's annotations: refusals and warnings, each one plain sentence. */

/** Why something an annotation asks for is not done. */
export const refusalReasons = ['malformed', 'not_this_pod', 'not_allowed', 'over_limit', 'duplicate'] as const;
export type RefusalReason = (typeof refusalReasons)[number];

export interface Finding {
  /** The annotation's name, e.g. `datakit/prom.instances`. */
  readonly annotation: string;
  /** The line within the annotation's value, from 1; 0 where there is none. */
  readonly line: number;
  /** Undefined for a warning: what the annotation asks for is done all the same. */
  readonly refused: RefusalReason | undefined;
  /** What is wrong and what to do. Holds no value that may be a secret. */
  readonly message: string;
}

const maxMessageLength = 400;

/** Makes a finding; a stranger's text may have made its message long. */
export function createFinding(finding: Finding): Finding {
  const { message } = finding;
  return message.length <= maxMessageLength
    ? finding
    : { ...finding, message: `${message.slice(0, maxMessageLength)}…` };
}
