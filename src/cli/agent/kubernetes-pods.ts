/** Which Kubernetes is asked for pods, and whether any is. */
import type { MainConfig } from '../../config/main-config.ts';
import { createKubernetesPods, type KubernetesPodsOptions } from '../../discovery/kubernetes/index.ts';
import { createKubeconfigConnection } from '../../discovery/kubernetes/kubeconfig.ts';
import { createServiceAccountConnection, isInCluster } from '../../discovery/kubernetes/service-account.ts';
import type { PodSource } from '../../pipeline/pod-source.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Whether pods are asked of Kubernetes: `auto` means where it is plain which one. */
export function wantsKubernetes(
  { kubernetes, kubeconfig }: Pick<MainConfig['discovery'], 'kubernetes' | 'kubeconfig'>,
  environment: Environment,
): boolean {
  if (kubernetes !== 'auto') return kubernetes === 'on';
  return kubeconfig !== '' || isInCluster(environment);
}

/** The pods of the cluster that `kubeconfig` names; without one, of the cluster the agent runs in, or else of the standard kubeconfig. */
export function kubernetesPods(
  options: Omit<KubernetesPodsOptions, 'connection'> & {
    readonly kubeconfig: string;
    readonly environment: Environment;
  },
): PodSource {
  const { kubeconfig, environment, ...rest } = options;
  const { clock } = rest;
  const connection =
    kubeconfig === '' && isInCluster(environment)
      ? createServiceAccountConnection({ clock, environment })
      : createKubeconfigConnection({ clock, path: kubeconfig });
  return createKubernetesPods({ ...rest, connection });
}
