/** Trace ids as Jaeger's API takes them (jaeger-idl's TraceIDFromString): any case, any number of digits up to 32; base64 since 2.20. */
import type { Parsed } from './go-text.ts';

/** Reads an id; the value has 32 lower-case digits. */
export function parseJaegerTraceId(text: string): Parsed<string> {
  if (/^[0-9a-fA-F]{1,32}$/.test(text)) return { kind: 'value', value: text.toLowerCase().padStart(32, '0') };
  const bytes = base64Bytes(text);
  if (bytes !== undefined) return { kind: 'value', value: bytes.toString('hex').padStart(32, '0') };
  if (text.length > 32) {
    return { kind: 'malformed', message: `TraceID cannot be longer than 32 hex characters: ${text}` };
  }
  return { kind: 'malformed', message: `strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax` };
}

/** Only with its padding, which tells it from digits that are wrong. */
function base64Bytes(text: string): Buffer | undefined {
  if (!/^(?:[A-Za-z0-9+/]{22}==|[A-Za-z0-9_-]{22}==|[A-Za-z0-9+/]{11}=|[A-Za-z0-9_-]{11}=)$/.test(text))
    return undefined;
  return Buffer.from(text, 'base64');
}
