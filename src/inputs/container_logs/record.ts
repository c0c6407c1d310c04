/** From a joined line to a log record: who wrote it, how severe it is, and what it belongs to. */
import { findCorrelation } from '../../codec/correlation.ts';
import type { LogRecord } from '../../model/log-record.ts';
import type { Resource } from '../../model/resource.ts';
import type { FoundContainer } from './directory-scan.ts';
import type { JoinedLine } from './part-joiner.ts';
import { severityOf } from './severity.ts';

const noAttributes: Readonly<Record<string, string>> = Object.freeze({});
const truncated: Readonly<Record<string, string>> = Object.freeze({ truncated: 'true' });

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
    if (line.hasInvalidUtf8) onInvalid();
    const { traceId, spanId, requestId } = findCorrelation(line.text);
    return {
      timeNs: line.timeNs,
      stream: line.stream,
      body: line.text,
      severity: severityOf(line.text),
      traceId,
      spanId,
      requestId,
      attributes: line.isTruncated ? truncated : noAttributes,
      resource: resourceOf(container),
    };
  };
}
