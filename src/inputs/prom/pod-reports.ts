/** What is told of pods' annotations beside the answers of the API: counters, gauges and the log. */
import { Counter, Gauge } from 'prom-client';
import { type Finding, type RefusalReason, refusalReasons } from '../../discovery/annotations/read-pod.ts';
import type { Pod } from '../../model/pod.ts';
import type { Host } from '../../pipeline/component.ts';

export interface PodReports {
  /** Counts and logs those of a pod's findings that it did not have before. */
  tell(pod: Pod, before: readonly Finding[], after: readonly Finding[]): void;
  /** Counts what is refused without being wrong in itself. */
  refused(reason: RefusalReason): void;
  close(): void;
}

const maxLinesPerMinute = 60;

/** `pod default/x, annotation datakit/prom.instances, line 3: …` */
function sentenceOf(pod: Pod, { annotation, line, message }: Finding): string {
  const where = `pod ${pod.namespace}/${pod.name}, annotation ${annotation}`;
  return `${where}${line > 0 ? `, line ${line}` : ''}: ${message}`;
}

/** Makes them; the gauges ask `count` when they are read. */
export function createPodReports(host: Host, count: { pods(): number; targets(): number }): PodReports {
  const { registry } = host.meter;
  const refusedName = 'trawl_annotations_refused_total';
  const known = registry.getSingleMetric(refusedName);
  const refused =
    known instanceof Counter
      ? known
      : new Counter({
          name: refusedName,
          help: 'What annotations of pods asked for and was refused, by reason.',
          labelNames: ['reason'],
          registers: [registry],
        });
  for (const reason of refusalReasons) refused.inc({ reason }, 0);
  const gauges = [
    { name: 'trawl_discovery_annotated_pods', help: 'Pods with an annotation that asks for a scrape.', of: count.pods },
    { name: 'trawl_discovery_targets', help: 'Targets that are scraped because a pod asks for it.', of: count.targets },
  ];
  for (const { name, help, of } of gauges) {
    registry.removeSingleMetric(name);
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(of());
      },
    });
  }
  let loggingSinceMs = Number.NEGATIVE_INFINITY;
  let logged = 0;
  /** Whoever rewrites an annotation again and again must not fill the log; what is wrong now is shown all the same. */
  const mayLog = (): boolean => {
    const nowMs = host.clock.monotonicMs();
    if (nowMs - loggingSinceMs >= 60_000) {
      loggingSinceMs = nowMs;
      logged = 0;
    }
    return ++logged <= maxLinesPerMinute;
  };
  return {
    tell(pod, before, after) {
      const known = new Set(before.map(({ message }) => message));
      for (const finding of after) {
        if (known.has(finding.message)) continue;
        const why = sentenceOf(pod, finding);
        if (finding.refused !== undefined) {
          refused.inc({ reason: finding.refused });
          host.meter.failed(host.name, why);
        }
        if (!mayLog()) continue;
        if (finding.refused === undefined) host.log.info(why);
        else host.log.warn(why);
      }
    },
    refused: (reason) => refused.inc({ reason }),
    close() {
      for (const { name } of gauges) registry.removeSingleMetric(name);
    },
  };
}
