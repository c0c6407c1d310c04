/**
 * A sample's value as the columns m and e of `samples`: the decimal number m / 10^e where that gives the very same double, and its bits
 * otherwise. Counters and rounded figures are whole numbers then, whose differences are small (docs/decisions/sample-size.md).
 */
import type { Sample } from '../../model/sample.ts';
import { rawValue } from '../schema/migrations.ts';
import type { SeriesIdentity } from './series-id.ts';

/** Exact doubles all of them, and a division of whole numbers below 2^53 by them is rounded once, here as in the engine. */
const powers = new Float64Array(Array.from({ length: 16 }, (_, e) => 10 ** e));
const maxDecimals = 15;
const maxWhole = 2 ** 53;
const two32 = 2 ** 32;

/** Fifteen attempts for each value of a series of measured doubles would cost more than everything else. */
const bitsInARow = 64;

/** Prometheus' mark for "the series ends here", by halves: 0x7ff0000000000002. Any other NaN is stored as its ordinary NaN, 0x7ff8000000000001. */
const nanHigh = 0x7ff8_0000;
const nanLow = 1;
const staleHigh = 0x7ff0_0000;
const staleLow = 2;

const double = new Float64Array(1);
const halves = new Uint32Array(double.buffer);

/** The whole number that is `value` with so many decimals; NaN where there is none. */
function wholeOf(value: number, decimals: number): number {
  const power = powers[decimals] ?? 1;
  const whole = Math.round(value * power);
  return whole / power === value && whole <= maxWhole && whole >= -maxWhole ? whole : Number.NaN;
}

function findDecimals(identity: SeriesIdentity, value: number): number {
  for (let decimals = 0; decimals <= maxDecimals; decimals++) {
    const whole = wholeOf(value, decimals);
    if (Number.isNaN(whole)) continue;
    identity.decimals = decimals;
    return whole;
  }
  identity.bitsLeft = bitsInARow;
  return Number.NaN;
}

/**
 * Writes m by halves to `into` at `half` and answers e. A series keeps the decimals that it has had, since a value with a zero at its end
 * would otherwise stand out among the others. Hot: bench/remote-write.ts.
 */
export function encodeValue(identity: SeriesIdentity, sample: Sample, into: Uint32Array, half: number): number {
  const { value } = sample;
  if (identity.bitsLeft > 0) identity.bitsLeft--;
  else {
    let whole = wholeOf(value, identity.decimals);
    if (Number.isNaN(whole) && Number.isFinite(value)) whole = findDecimals(identity, value);
    if (!Number.isNaN(whole) && !Object.is(value, -0)) {
      into[half] = whole;
      into[half + 1] = Math.floor(whole / two32);
      return identity.decimals;
    }
  }
  if (sample.isStale) {
    into[half] = staleLow;
    into[half + 1] = staleHigh;
  } else if (Number.isNaN(value)) {
    into[half] = nanLow;
    into[half + 1] = nanHigh;
  } else {
    double[0] = value;
    into[half] = halves[0] ?? 0;
    into[half + 1] = halves[1] ?? 0;
  }
  return rawValue;
}
