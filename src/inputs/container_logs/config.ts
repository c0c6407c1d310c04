import { z } from 'zod';
import { component, count, duration, size } from '../../config/fields.ts';

/** `namespace:bookinfo`, `pod:ratings-*`: a field of the container and a glob on it. */
const containerRule = z
  .string()
  .regex(/^[a-z_]+:./, 'must be FIELD:GLOB, e.g. "namespace:bookinfo"')
  .superRefine((rule, context) => {
    const field = rule.slice(0, rule.indexOf(':'));
    if (!['namespace', 'pod', 'container', 'image', 'image_name', 'image_short_name'].includes(field)) {
      context.addIssue({
        code: 'custom',
        message: `names a field "${field}" that is none of namespace, pod, container`,
      });
    }
  });

const cautionAboutImages = (rules: unknown): string | undefined =>
  Array.isArray(rules) && rules.some((rule) => typeof rule === 'string' && rule.startsWith('image'))
    ? 'image rules match nothing, for log files do not say the image; use namespace:, pod: or container:'
    : undefined;

export const containerLogsConfig = component(
  z.strictObject({
    path: z
      .string()
      .startsWith('/', 'must be an absolute path')
      .default('/var/log/pods')
      .describe('The directory with the logs, laid out as the kubelet does: NAMESPACE_POD_UID/CONTAINER/N.log.'),
    container_include_log: z
      .array(containerRule)
      .default([])
      .describe('Containers to read; empty reads all. `namespace:`, `pod:` or `container:` and a glob.')
      .meta({ example: ['namespace:bookinfo'], caution: cautionAboutImages }),
    container_exclude_log: z
      .array(containerRule)
      .default([])
      .describe('Containers not to read, even where they are included.')
      .meta({ example: ['namespace:kube-system', 'container:istio-init'], caution: cautionAboutImages }),
    start_at: z
      .enum(['auto', 'beginning', 'end'])
      .default('auto')
      .describe(
        'Where to begin in a file that was never read: `auto` at the beginning of files below 20 MB and at the end of larger ones; what was compressed before the first run is read with `beginning` alone.',
      ),
    max_line_bytes: size({ minBytes: 1024, maxBytes: 16 * 1024 * 1024 })
      .prefault('256KiB')
      .describe('The longest line, joined from its parts. A longer one is cut there, marked and counted.'),
    max_open_files: count(1, 100_000)
      .default(500)
      .describe('The most files that are open at once; the others wait their turn.'),
    scan_interval: duration({ minMs: 100, maxMs: 600_000 })
      .prefault('2s')
      .describe('How often the directory is searched for new files.'),
    poll_interval: duration({ minMs: 10, maxMs: 60_000 })
      .prefault('250ms')
      .describe('How often an open file is looked at for new lines.'),
  }),
  {
    aliases: ['container'],
    dataKitOnly: {
      endpoints: 'logs are read from files, not from a container runtime',
      logging_search_interval: 'use scan_interval',
      logging_enable_multiline: 'lines are kept as they were written',
      logging_auto_multiline_detection: 'lines are kept as they were written',
      logging_auto_multiline_extra_patterns: 'lines are kept as they were written',
      logging_source_multiline_map: 'lines are kept as they were written',
      logging_extra_source_map: 'the source is the container',
      logging_min_flush_interval: 'lines are kept as they were written',
      logging_max_multiline_life_duration: 'lines are kept as they were written',
      logging_remove_ansi_escape_codes: 'lines are kept as they were written',
      logging_file_from_beginning: 'use start_at = "beginning"',
      logging_file_from_beginning_threshold_size: 'use start_at',
      logging_force_flush_limit: 'lines are kept as they were written',
      logging_field_white_list: 'every field is kept',
      logging_max_open_files: 'use max_open_files',
      metric_collect_interval: 'container metrics are not collected',
      object_collect_interval: 'objects are not collected',
      enable_container_metric: 'container metrics are not collected',
      enable_k8s_metric: 'Kubernetes metrics are not collected',
      enable_pod_metric: 'pod metrics are not collected',
      enable_k8s_event: 'Kubernetes events are not collected',
      enable_k8s_node_local: 'nothing is asked of Kubernetes',
      enable_collect_k8s_job: 'logs of jobs are read as all others',
      extract_k8s_label_as_tags: 'nothing is asked of Kubernetes',
      extract_k8s_label_as_tags_v2: 'nothing is asked of Kubernetes',
      extract_k8s_label_as_tags_v2_for_metric: 'nothing is asked of Kubernetes',
      pod_include_metric: 'pod metrics are not collected',
      pod_exclude_metric: 'pod metrics are not collected',
      logging_blocking_mode: 'a batch waits until it is kept in any case',
      logging_min_flush_nterval: 'lines are kept as they were written',
      exclude_pause_container: 'pause containers write no logs',
      disable_k8s_events: 'Kubernetes events are not collected',
      enable_auto_discovery_of_prometheus_pod_annotations: 'targets are named in [[inputs.prom]]',
      enable_auto_discovery_of_prometheus_service_annotations: 'targets are named in [[inputs.prom]]',
      enable_auto_discovery_of_prometheus_pod_monitors: 'targets are named in [[inputs.prom]]',
      enable_auto_discovery_of_prometheus_service_monitors: 'targets are named in [[inputs.prom]]',
      enable_k8s_self_metric_by_prom: 'targets are named in [[inputs.prom]]',
      keep_exist_prometheus_metric_name: 'targets are named in [[inputs.prom]]',
      kubernetes_url: 'nothing is asked of Kubernetes',
      bearer_token: 'nothing is asked of Kubernetes',
      bearer_token_string: 'nothing is asked of Kubernetes',
      docker_endpoint: 'logs are read from files, not from a container runtime',
      containerd_address: 'logs are read from files, not from a container runtime',
      tags: 'use [global_tags] in trawl.conf',
      election: 'every agent reads the logs of its own node',
    },
  },
);

export type ContainerLogsConfig = z.infer<typeof containerLogsConfig>;
