/** What services do, as Jaeger lists it. */
import { emptySpanName, missingServiceName } from './otlp-trace.ts';
import type { JaegerSource } from './source.ts';

/** A name and a kind of Jaeger's spelling, '' where the spans have none. */
export interface UiOperation {
  readonly name: string;
  readonly spanKind: string;
}

/** The names of all services, sorted. */
export async function readServices(source: JaegerSource, signal: AbortSignal): Promise<readonly string[]> {
  const names = await source.serviceNames(signal);
  return [...new Set(names.map((name) => name || missingServiceName))].sort();
}

/** A service's operations by name, then kind; only those of `spanKind` unless it is ''. */
export async function readOperations(
  source: JaegerSource,
  ask: { readonly service: string; readonly spanKind: string },
  signal: AbortSignal,
): Promise<readonly UiOperation[]> {
  const operations = [...(await source.operationsOf(ask.service, signal))];
  if (ask.service === missingServiceName) operations.push(...(await source.operationsOf('', signal)));
  return operations
    .map(({ name, kind }) => ({ name: name || emptySpanName, spanKind: kind?.toLowerCase() ?? '' }))
    .filter(({ spanKind }) => ask.spanKind === '' || spanKind === ask.spanKind)
    .sort((a, b) => byText(a.name, b.name) || byText(a.spanKind, b.spanKind));
}

/** Orders texts by their code units. */
export const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
