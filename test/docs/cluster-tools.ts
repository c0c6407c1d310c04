/**
 * Stands in for kubectl, docker and openssl where documents name them: it knows what `deploy/` would make, and ends with a sentence and 1
 * where a command names a file, folder or object that is not there. Run as `cluster-tools.ts TOOL ARGUMENT…` in the reader's directory.
 */
import { existsSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { z } from 'zod';
import { kustomizations, manifestsOf, parseManifest, readKustomization } from '../deploy/manifests.ts';

const all = kustomizations()
  .flatMap((folder) => manifestsOf(folder))
  .map(({ object }) => object);

const say = (line: string) => process.stdout.write(`${line}\n`);

function refuse(why: string): never {
  process.stderr.write(`${why}\n`);
  process.exit(1);
}

/** The value after an option, e.g. of `-n`. */
const after = (args: readonly string[], option: string) => {
  const at = args.indexOf(option);
  return at === -1 ? undefined : args[at + 1];
};

/** Keys of the Secret that pods mount, by what they name of it. */
const secretKeys = new Set(
  JSON.stringify(all)
    .match(/\/etc\/trawl\/secrets\/[\w-]+/g)
    ?.map((path) => basename(path)),
);

function mustExist(reference: string, namespace: string | undefined): void {
  const [kind = '', name = ''] = reference.split('/');
  const found = all.some(
    ({ kind: of, metadata }) =>
      of.toLowerCase() === kind && metadata.name === name && (metadata.namespace ?? namespace) === namespace,
  );
  if (!found) refuse(`there is no ${reference} in namespace ${namespace}`);
}

function createSecret(args: readonly string[]): void {
  const given = args.flatMap((arg) => /^--from-literal=([\w-]+)=.{16,}$/.exec(arg)?.[1] ?? []);
  const wanted = [...secretKeys].sort();
  if (given.sort().join() !== wanted.join())
    refuse(`the pods want the keys ${wanted.join(', ')}, not ${given.join(', ')}`);
  say(`secret/${args[args.indexOf('generic') + 1]} created`);
}

const template = z.looseObject({
  metadata: z.looseObject({ namespace: z.string().optional() }),
  spec: z.looseObject({
    template: z.looseObject({ metadata: z.looseObject({ labels: z.record(z.string(), z.string()) }) }),
  }),
});

/** A pod that is asked for by a label must be one that a workload makes. */
function getPod(args: readonly string[], namespace: string | undefined): void {
  const [label = '', value] = after(args, '-l')?.split('=') ?? [];
  const isMade = kustomizations().some((folder) => {
    const within = readKustomization(folder).namespace === namespace;
    const workloads = manifestsOf(folder).flatMap(({ object }) => template.safeParse(object).data ?? []);
    return within && (label === '' || workloads.some(({ spec }) => spec.template.metadata.labels[label] === value));
  });
  if (!isMade) refuse(`no pod of namespace ${namespace} has the label ${label}=${value}`);
  const asked = after(args, '-o') ?? '';
  if (asked === 'name') say('pod/trawl-agent-x7k2p');
  else process.stdout.write(asked.includes('nodeName') ? 'node-1' : 'productpage-v1-7f4c');
}

function kubectl(args: readonly string[]): void {
  const namespace = after(args, '-n');
  const [verb = ''] = args.filter((arg, at) => !arg.startsWith('-') && args[at - 1] !== '-n');
  const folder = after(args, '-k');
  const file = after(args, '-f');
  if (folder !== undefined) {
    for (const { object } of manifestsOf(basename(folder))) say(`${object.kind}/${object.metadata.name} ${verb}`);
  } else if (file !== undefined) {
    if (!existsSync(file)) refuse(`there is no ${file}`);
    for (const { kind, metadata } of parseManifest(readFileSync(file, 'utf8'))) say(`${kind}/${metadata.name} ${verb}`);
  } else if (verb === 'create' && args.includes('secret')) createSecret(args);
  else if (verb === 'get' && args.includes('secret')) {
    const key = /\.data\.([\w-]+)\}/.exec(args.join(' '))?.[1] ?? '';
    if (!secretKeys.has(key)) refuse(`the Secret has no key "${key}"`);
    process.stdout.write(Buffer.from('a token of this test').toString('base64'));
  } else if (verb === 'get' && args.includes('pod')) getPod(args, namespace);
  else if (verb === 'exec') {
    const [, ...command] = args.slice(args.indexOf('--'));
    const started = command.slice(command.indexOf('node'));
    if (started[1] !== '/app/dist/main.js') refuse(`the image has no ${started[1]}`);
    say(`${started.slice(2).join(' ')} in ${args.find((arg) => arg.startsWith('pod/'))}`);
  } else if (['rollout', 'logs', 'port-forward'].includes(verb)) {
    const references = args.filter((arg) => /^[a-z]+\/[\w-]+$/.test(arg));
    if (references.length === 0) refuse(`kubectl ${verb} names nothing`);
    for (const reference of references) mustExist(reference, namespace);
  } else refuse(`nothing here knows kubectl ${args.join(' ')}`);
}

const [tool = '', ...args] = process.argv.slice(2);
if (tool === 'kubectl') kubectl(args);
else if (tool === 'docker') {
  if (args[0] !== 'build' || !existsSync('Dockerfile')) refuse(`nothing here knows docker ${args.join(' ')}`);
} else if (tool === 'openssl') say('0123456789abcdef'.repeat(4));
else refuse(`nothing here knows ${tool}`);
