/** Numbers as Go's formats write them. */

const special = (value: number): string | undefined => {
  if (Number.isNaN(value)) return 'NaN';
  if (Number.isFinite(value)) return undefined;
  return value > 0 ? '+Inf' : '-Inf';
};

/** `%g`: the shortest digits, with an exponent below 1e-4 and from 1e21. */
export function formatG(value: number): string {
  const named = special(value);
  if (named !== undefined) return named;
  const exponent = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)));
  const text = exponent < -4 || exponent >= 21 ? value.toExponential() : String(value);
  return Object.is(value, -0) ? '-0' : text.replace(/e([+-])(\d)$/, 'e$10$2');
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
