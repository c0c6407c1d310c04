/** What was found wrong with a span, which Jaeger keeps in an attribute of it (internal/jptrace/warning.go). */
import type { KeyValue, Span } from '../../codec/otlp/otlp.generated.ts';

const warningsKey = '@jaeger@warnings';

/** Adds a warning to a span. */
export function addWarning(span: Span, text: string): void {
  const warning = { case: 'stringValue', value: text } as const;
  const existing = span.attributes.find(isWarnings)?.value;
  if (existing?.case === 'arrayValue') existing.value.values.push(warning);
  else span.attributes.push({ key: warningsKey, value: { case: 'arrayValue', value: { values: [warning] } } });
}

/** Whether an attribute holds warnings. */
export function isWarnings({ key, value }: KeyValue): boolean {
  return key === warningsKey && value?.case === 'arrayValue';
}

/** A span's warnings. */
export function warningsOf(span: Span): string[] {
  const value = span.attributes.find(isWarnings)?.value;
  if (value?.case !== 'arrayValue') return [];
  return value.value.values.map((warning) => (warning.case === 'stringValue' ? warning.value : ''));
}
