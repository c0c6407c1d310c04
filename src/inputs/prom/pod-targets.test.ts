import { describe, expect, it } from 'vitest';
import { howToAnnotation, makePod } from '../../../test/fixtures/pods.ts';
import { createRandom } from '../../../test/fixtures/random.ts';
import { scrapeAnnotations } from '../../discovery/annotations/read-pod.ts';
import { targetsOfPod } from './pod-targets.ts';

/** What somebody would splice into an annotation to have the agent do something else. */
const fragments = [
  'url = "http://169.254.169.254/"',
  'urls = ["http://evil.example/", "http://$IP:1/"]',
  'url = "http://$IP:1@evil.example/"',
  'url = "//evil.example/"',
  'url = "http://$IP.evil.example/"',
  'url = "http://[::ffff:$IP]/"',
  'uds_path = "/var/run/docker.sock"',
  'bearer_token_file = "/etc/shadow"',
  'auth = { token_file = "/etc/shadow" }',
  '[inputs.prom.auth]',
  'token_file = "/etc/shadow"',
  'insecure_skip_verify = true',
  'ca_certs = ["/etc/shadow"]',
  'tls_key = "/etc/shadow"',
  'http_headers = { Authorization = "Bearer x" }',
  '[inputs.prom.http_headers]',
  'Authorization = { file = "/etc/shadow" }',
  '[[inputs.prom.relabel_configs]]',
  'target_label = "__address__"',
  'replacement = "evil.example"',
  '[[inputs.prom]]',
  '[inputs.prom.tags]',
  'namespace = "kube-system"',
  'pod = "other"',
  '__address__ = "evil.example"',
  '"\\u0075rl" = "http://evil.example/"',
  "'url' = 'http://evil.example/'",
  'prom = 1',
  '"""',
  "'''",
  '\\',
  '\u0000',
  '= ',
];
const seed = 20261121;

describe('annotations with anything spliced into them', () => {
  it(`make targets of that very pod alone, and never an exception (500 of them, seed ${seed})`, () => {
    const random = createRandom(seed);
    const pick = (length: number) => Math.floor(random() * length);
    let targets = 0;
    for (let round = 0; round < 500; round++) {
      const lines = howToAnnotation.split('\n');
      for (let splices = 1 + pick(3); splices > 0; splices--) {
        const fragment = fragments[pick(fragments.length)] ?? '';
        const at = pick(lines.length);
        if (random() < 0.7) lines.splice(at, pick(2), fragment);
        else {
          const line = lines[at] ?? '';
          const cut = pick(line.length);
          lines[at] = line.slice(0, cut) + fragment + line.slice(cut);
        }
      }
      const text = lines.join('\n');
      const pod = makePod({ annotations: { 'datakit/prom.instances': text } });
      for (const { target } of targetsOfPod(pod, scrapeAnnotations).targets) {
        targets++;
        expect(target.url.hostname, text).toBe('10.1.2.3');
        expect(target.url.username + target.url.password, text).toBe('');
        expect(target.request.tokenFile, text).toBeUndefined();
        expect(Object.keys(target.request.headers), text).not.toContain('authorization');
        expect(target.connection, text).toMatchObject({
          socketPath: '',
          caFiles: [],
          certFile: '',
          keyFile: '',
          checksCertificate: true,
        });
        expect(Object.fromEntries(target.labels), text).toMatchObject({
          namespace: 'default',
          pod: 'productpage-v1-7f4c',
          node: 'node-1',
        });
      }
    }
    expect(targets).toBeGreaterThan(50);
  });
});
