/** Floats as Go's strconv reads and Prometheus writes them. */

const decimal = /^[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/;
const infinity = /^([+-]?)inf(?:inity)?$/i;

/** Reads a float as Prometheus' text format allows it: no hex, no underscores. Undefined when it is none or out of range. */
export function parseGoFloat(text: string): number | undefined {
  if (decimal.test(text)) {
    const value = Number(text);
    return Number.isFinite(value) ? value : undefined;
  }
  const match = infinity.exec(text);
  if (match !== null) return match[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  return text.length === 3 && text.toLowerCase() === 'nan' ? Number.NaN : undefined;
}

/** Writes a float as OpenMetrics canonically does: the shortest digits, always with a point or an exponent (`1.0`, `0.002`, `1e+06`). */
export function formatOpenMetricsFloat(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  if (value === 0) return '0.0';
  const [mantissa = '0', exponentText = '0'] = value.toExponential().split('e');
  const exponent = Number(exponentText);
  if (exponent < -4 || exponent >= 6) {
    const digits = String(Math.abs(exponent)).padStart(2, '0');
    return `${mantissa}e${exponent < 0 ? '-' : '+'}${digits}`;
  }
  // In this range JavaScript writes no exponent.
  const text = String(value);
  return text.includes('.') ? text : `${text}.0`;
}
