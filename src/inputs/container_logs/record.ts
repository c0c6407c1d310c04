/** From a joined line to a log record: who wrote it, how severe it is, and what it belongs to. */
import { isUtf8 } from 'node:buffer';
import type { LogRecord } from '../../model/log-record.ts';
import type { Resource } from '../../model/resource.ts';
import type { FoundContainer } from './directory-scan.ts';
import type { JoinedLine } from './part-joiner.ts';
import { severityOf } from './severity.ts';

const noAttributes: Readonly<Record<string, string>> = Object.freeze({});
const truncated: Readonly<Record<string, string>> = Object.freeze({ truncated: 'true' });

/** Programs seldom mean them, and a file that was emptied under its writer begins with them. */
function withoutPadding(text: Buffer): Buffer {
  let at = 0;
  while (text[at] === 0) at++;
  return at === 0 ? text : text.subarray(at);
}

/** Makes the function that makes records; `onInvalid` is told of each line that is no UTF-8. */
export function createRecordMaker(node: string, onInvalid: () => void) {
  const resources = new Map<string, Resource>();
  const maxResources = 10_000;
  const resourceOf = (container: FoundContainer): Resource => {
    let resource = resources.get(container.id);
    if (resource === undefined) {
      if (resources.size >= maxResources) resources.clear();
      const { namespace, pod, uid, restart } = container;
      resource = {
        service: container.container,
        namespace,
        pod,
        container: container.container,
        node,
        version: '',
        attributes: Object.freeze({ pod_uid: uid, restart_count: String(restart) }),
      };
      resources.set(container.id, resource);
    }
    return resource;
  };
  return (line: JoinedLine, container: FoundContainer): LogRecord => {
    const text = withoutPadding(line.text);
    if (!isUtf8(text)) onInvalid();
    const body = text.toString('utf8');
    const ids = { traceId: '', spanId: '', requestId: '' };
    return {
      timeNs: line.timeNs,
      stream: line.stream,
      body,
      severity: severityOf(body),
      ...ids,
      attributes: line.isTruncated ? truncated : noAttributes,
      resource: resourceOf(container),
    };
  };
}
