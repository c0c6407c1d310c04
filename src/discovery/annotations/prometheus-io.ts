/** `prometheus.io/scrape`, `port`, `path` and `scheme`: the convention that Istio's injection follows, too. */
import type { z } from 'zod';
import type { Table } from '../../config/toml-document.ts';
import { type Findings, validateStranger } from '../../config/validate.ts';
import type { Pod } from '../../model/pod.ts';
import { createFinding, type Finding, type RefusalReason } from './finding.ts';
import { declaredPorts, judgeOwnAddress } from './own-address.ts';
import { completeBlock, maxUrls, type Reading } from './prom-instances.ts';

export const scrapeAnnotation = 'prometheus.io/scrape';
const portAnnotation = 'prometheus.io/port';
const pathAnnotation = 'prometheus.io/path';
const schemeAnnotation = 'prometheus.io/scheme';
/** The four, as a source of pods must keep them. */
export const prometheusAnnotations: readonly string[] = [
  scrapeAnnotation,
  portAnnotation,
  pathAnnotation,
  schemeAnnotation,
];

const maxTextLength = 1_000;

/** Reads the four annotations of a pod that has the first. */
export function readPrometheusAnnotations<Config>(pod: Pod, schema: z.ZodType<Config>): Reading<Config> {
  const findings: Finding[] = [];
  const refuse = (annotation: string, refused: RefusalReason, message: string): Reading<Config> => {
    findings.push(createFinding({ annotation, line: 0, refused, message }));
    return { blocks: [], findings };
  };
  const textOf = (annotation: string) => (pod.annotations[annotation] ?? '').trim();
  const tooLong = prometheusAnnotations.find((annotation) => textOf(annotation).length > maxTextLength);
  if (tooLong !== undefined) return refuse(tooLong, 'over_limit', `it is longer than ${maxTextLength} characters`);
  const scrape = textOf(scrapeAnnotation).toLowerCase();
  if (scrape === 'false' || scrape === '') return { blocks: [], findings };
  if (scrape !== 'true') return refuse(scrapeAnnotation, 'malformed', 'it must be "true" or "false"');

  const scheme = textOf(schemeAnnotation).toLowerCase() || 'http';
  if (scheme !== 'http' && scheme !== 'https') {
    return refuse(schemeAnnotation, 'malformed', 'it must be "http" or "https"');
  }
  const port = textOf(portAnnotation);
  if (port !== '' && !(/^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65_535)) {
    return refuse(portAnnotation, 'malformed', 'it must be the number of a port, 1 to 65535');
  }
  const ports = port === '' ? declaredPorts(pod) : [Number(port)];
  if (ports.length === 0) {
    const message = `it has no port to go to: set ${portAnnotation}, or declare one under ports: of a container`;
    return refuse(scrapeAnnotation, 'malformed', message);
  }
  if (ports.length > maxUrls) {
    const message = `the containers declare ${ports.length} ports; ${maxUrls} are scraped: set ${portAnnotation}`;
    findings.push(createFinding({ annotation: portAnnotation, line: 0, refused: 'over_limit', message }));
  }
  const path = textOf(pathAnnotation) || '/metrics';
  const host = pod.ip.includes(':') ? `[${pod.ip}]` : pod.ip;
  const urls = ports.slice(0, maxUrls).flatMap((number) => {
    const verdict = judgeOwnAddress(`${scheme}://${host}:${number}${path.startsWith('/') ? '' : '/'}${path}`, pod);
    if (verdict.ok) return [verdict.url.href];
    refuse(scrapeAnnotation, verdict.reason, verdict.message);
    return [];
  });
  if (urls.length === 0) return { blocks: [], findings };

  const value: Table = Object.assign(Object.create(null), { urls });
  completeBlock(value, pod);
  const told: Findings = { problems: [], warnings: [] };
  const header = `${scrapeAnnotation} of pod ${pod.namespace}/${pod.name}`;
  const subject = { schema, header, base: [], document: undefined, value, overrides: [], neighbours: [] };
  const config = validateStranger(subject, told);
  for (const { message } of told.problems) refuse(scrapeAnnotation, 'malformed', message);
  return { blocks: config === undefined ? [] : [{ annotation: scrapeAnnotation, number: 0, config }], findings };
}
