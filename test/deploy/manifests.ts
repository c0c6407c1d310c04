/** The manifests under `deploy/`, as kubectl would take them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { parse, parseAllDocuments } from 'yaml';
import { z } from 'zod';

export const deployDirectory = fileURLToPath(new URL('../../deploy/', import.meta.url));

const object = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), namespace: z.string().optional() }),
});
export type KubernetesObject = z.infer<typeof object>;

export interface Manifest {
  /** Below `deploy/`. */
  readonly file: string;
  readonly object: KubernetesObject;
}

const kustomization = z.strictObject({
  apiVersion: z.literal('kustomize.config.k8s.io/v1beta1'),
  kind: z.literal('Kustomization'),
  namespace: z.string(),
  resources: z.array(z.string()),
  images: z.array(z.strictObject({ name: z.string(), newName: z.string(), newTag: z.string() })).optional(),
});

/** The folders that `kubectl apply -k` takes. */
export function kustomizations(): readonly string[] {
  return readdirSync(deployDirectory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
}

/** What a folder's kustomization says. Throws where it says what kustomize does not know. */
export function readKustomization(folder: string): z.infer<typeof kustomization> {
  return kustomization.parse(parse(readFileSync(join(deployDirectory, folder, 'kustomization.yaml'), 'utf8')));
}

/** Every object of a YAML text. Throws at what is no YAML, a key that stands twice included. */
export function parseManifest(text: string): readonly KubernetesObject[] {
  return parseAllDocuments(text).map((document) => {
    const [error] = document.errors;
    if (error !== undefined) throw error;
    return object.parse(document.toJS());
  });
}

/** Every object that a folder's kustomization brings. */
export function manifestsOf(folder: string): readonly Manifest[] {
  return readKustomization(folder).resources.flatMap((name) => {
    const file = join(folder, name);
    return parseManifest(readFileSync(join(deployDirectory, file), 'utf8')).map((found) => ({ file, object: found }));
  });
}

const schemas = z.object({ $defs: z.record(z.string(), z.unknown()) });

/** Kubernetes' packages by `apiVersion`, as its OpenAPI document names them. */
const packages: Readonly<Record<string, string>> = {
  v1: 'io.k8s.api.core.v1',
  'apps/v1': 'io.k8s.api.apps.v1',
  'rbac.authorization.k8s.io/v1': 'io.k8s.api.rbac.v1',
};

/**
 * Checks objects against one version's OpenAPI schemas, in which no field may stand that the server does not know (as `kubectl apply
 * --validate=strict` has it). What comes back are the faults, none where it is right.
 */
export function createSchemaCheck(version: string): (found: KubernetesObject) => readonly string[] {
  const file = fileURLToPath(new URL(`testdata/kubernetes-${version}.json`, import.meta.url));
  const ajv = new Ajv2020({ allErrors: true, strict: false, validateFormats: false });
  ajv.addSchema(schemas.parse(JSON.parse(readFileSync(file, 'utf8'))), 'kubernetes');
  return (found) => {
    const validate: ValidateFunction | undefined = ajv.getSchema(
      `kubernetes#/$defs/${packages[found.apiVersion] ?? found.apiVersion}.${found.kind}`,
    );
    if (validate === undefined) return [`${found.apiVersion} ${found.kind} is not known to Kubernetes ${version}`];
    if (validate(found) === true) return [];
    return (validate.errors ?? []).map(
      ({ instancePath, message, params }) => `${instancePath || '/'} ${message}: ${JSON.stringify(params)}`,
    );
  };
}
