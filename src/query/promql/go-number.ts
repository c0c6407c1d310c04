/** Numbers as Go's formats write them. */

const special = (value: number): string | undefined => {
  if (Number.isNaN(value)) return 'NaN';
  if (Number.isFinite(value)) return undefined;
  return value > 0 ? '+Inf' : '-Inf';
};

/** With an exponent of two digits at least, below 1e-4 and where there would be more than `digits` before the point. */
function formatShort(value: number, digits: number): string {
  const exponential = value.toExponential();
  const exponent = Number(exponential.slice(exponential.indexOf('e') + 1));
  const text = exponent < -4 || exponent >= digits ? exponential : String(value);
  return Object.is(value, -0) ? '-0' : text.replace(/e([+-])(\d)$/, 'e$10$2');
}

/** `%g` and `%v`: the shortest digits, with an exponent below 1e-4 and from 1e6. */
export const formatG = (value: number): string => special(value) ?? formatShort(value, 6);

/** The nearest number of so many digits; of two as near the one whose last digit is even, where JavaScript takes the larger. */
function roundDigits(value: number, digits: number): number {
  const [mantissa = '', exponent = ''] = Math.abs(value).toExponential(50).split('e');
  const all = mantissa.replace('.', '');
  const isTie = /^50*$/.test(all.slice(digits)) && Number(all[digits - 1]) % 2 === 0;
  if (!isTie) return Number(value.toPrecision(digits));
  return Math.sign(value) * Number(`${all[0]}.${all.slice(1, digits)}e${exponent}`);
}

/** `%.2g` and its kin: so many digits at most. */
export const formatRounded = (value: number, digits: number): string =>
  special(value) ?? formatShort(roundDigits(value, digits), digits);

/** As OpenMetrics has numbers: a whole one ends in `.0`. */
export function formatOpenMetrics(value: number): string {
  const text = formatG(value);
  return /[.eNI]/.test(text) ? text : `${text}.0`;
}

/** `%f` with as many decimals as needed (`FormatFloat(…, 'f', -1, 64)`): the shortest digits, never an exponent. */
export function formatPlain(value: number): string {
  const named = special(value);
  if (named !== undefined) return named;
  if (Object.is(value, -0)) return '-0';
  const text = String(value);
  const found = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(text);
  if (found === null) return text;
  const [, sign = '', whole = '', fraction = '', power = '0'] = found;
  const exponent = Number(power);
  const digits = whole + fraction;
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`;
  return `${sign}${digits.padEnd(exponent + 1, '0')}`;
}
