/** The header in which a client says how long it will wait. */

const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

/** The milliseconds of a `grpc-timeout`, or undefined when it is none: at most eight digits and a unit. */
export function parseGrpcTimeout(header: string): number | undefined {
  const [, digits = '', unit = ''] = /^(\d{1,8})([HMSmun])$/.exec(header) ?? [];
  const scale = unitMs[unit];
  return scale === undefined ? undefined : Number(digits) * scale;
}
