/** One line of a watch, cut down at once to what is kept of it. */
import type { Pod } from '../../model/pod.ts';
import { isJsonObject, type JsonObject, type KeptAnnotations, projectPod } from '../pod-object.ts';
import { ApiFailure, explainStatus, kindOfStatus } from './failure.ts';

export type PodEvent =
  | { readonly kind: 'put'; readonly pod: Pod; readonly version: string }
  | { readonly kind: 'gone'; readonly uid: string; readonly version: string }
  /** `isInitialEnd`: everything that was there has been told. */
  | { readonly kind: 'bookmark'; readonly version: string; readonly isInitialEnd: boolean };

const notReadable = (what: string, cause?: unknown): ApiFailure =>
  new ApiFailure('protocol', `the API server's watch sent ${what}`, { cause });

/** Reads a line. Throws an `ApiFailure` for an ERROR event and for what is none. */
export function readPodEvent(line: string, keptAnnotations: KeptAnnotations, name: string): PodEvent {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch (cause) {
    throw notReadable('a line that is not JSON', cause);
  }
  const object = isJsonObject(parsed) ? parsed['object'] : undefined;
  if (!isJsonObject(parsed) || !isJsonObject(object)) throw notReadable('a line that is not an event');
  const type = parsed['type'];
  if (type === 'ERROR') throw failureOfStatus(object, name);
  const metadata = object['metadata'];
  const version = isJsonObject(metadata) ? metadata['resourceVersion'] : undefined;
  if (!isJsonObject(metadata) || typeof version !== 'string') throw notReadable('an object without resourceVersion');
  if (type === 'BOOKMARK') return { kind: 'bookmark', version, isInitialEnd: endsInitial(metadata) };
  if (type === 'DELETED') return { kind: 'gone', uid: projectPod(object, []).uid, version };
  if (type !== 'ADDED' && type !== 'MODIFIED') throw notReadable('an event of an unknown type');
  return { kind: 'put', pod: projectPod(object, keptAnnotations), version };
}

function endsInitial(metadata: JsonObject): boolean {
  const annotations = metadata['annotations'];
  return isJsonObject(annotations) && annotations['k8s.io/initial-events-end'] === 'true';
}

/** The failure that an ERROR event's Status means. */
function failureOfStatus(status: JsonObject, name: string): ApiFailure {
  const code = typeof status['code'] === 'number' ? status['code'] : 500;
  const message = typeof status['message'] === 'string' ? status['message'].slice(0, 400) : '';
  return new ApiFailure(kindOfStatus(code), explainStatus(code, message, name));
}
