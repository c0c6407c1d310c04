/** Who emitted a row, as the tables have it (`src/model/resource.ts`). */
import type { Resource } from '../../model/resource.ts';
import { type EmitterNames, emitterNames } from '../schema/emitter.ts';
import type { Column, NativeBlock } from './native-block.ts';

const lowCardinality = 'LowCardinality(String)';
const stringMap = 'Map(LowCardinality(String), String)';

/** A column for each name of the emitter, as logs have them: they are searched by. */
export const resourceColumns = [
  ['service', lowCardinality],
  ['namespace', lowCardinality],
  ['pod', lowCardinality],
  ['container', lowCardinality],
  ['node', lowCardinality],
  ['version', lowCardinality],
  ['resource', stringMap],
] as const satisfies readonly Column[];

/** All names in one column, as spans have them: each column that is read costs a look-up by id more than its bytes do. */
export const emitterColumns = [
  ['emitter', lowCardinality],
  ['resource', stringMap],
] as const satisfies readonly Column[];

/** The rows' resources, each object once: the codecs give one emitter's rows the same object. */
function emittersOf<Row>(rows: readonly Row[], of: (row: Row) => Resource) {
  const distinct: Resource[] = [];
  const numbers = new Map<Resource, number>();
  const places: number[] = [];
  for (const row of rows) {
    const resource = of(row);
    let number = numbers.get(resource);
    if (number === undefined) {
      number = distinct.length;
      distinct.push(resource);
      numbers.set(resource, number);
    }
    places.push(number);
  }
  return { distinct, places };
}

function writeAttributes<Row>(block: NativeBlock, rows: readonly Row[], of: (row: Row) => Resource): void {
  block.map(['resource', stringMap], rows, (row, put) => {
    const { attributes } = of(row);
    for (const key in attributes) put(key, attributes[key] ?? '');
  });
}

/** Writes `resourceColumns`. */
export function writeResource<Row>(block: NativeBlock, rows: readonly Row[], of: (row: Row) => Resource): void {
  const [service, namespace, pod, container, node, version] = resourceColumns;
  const emitters = emittersOf(rows, of);
  block.lowCardinalityOf(service, emitters, (resource) => resource.service);
  block.lowCardinalityOf(namespace, emitters, (resource) => resource.namespace);
  block.lowCardinalityOf(pod, emitters, (resource) => resource.pod);
  block.lowCardinalityOf(container, emitters, (resource) => resource.container);
  block.lowCardinalityOf(node, emitters, (resource) => resource.node);
  block.lowCardinalityOf(version, emitters, (resource) => resource.version);
  writeAttributes(block, rows, of);
}

/** Writes `emitterColumns`. */
export function writeEmitter<Row>(block: NativeBlock, rows: readonly Row[], of: (row: Row) => Resource): void {
  block.lowCardinalityOf(emitterColumns[0], emittersOf(rows, of), emitterText);
  writeAttributes(block, rows, of);
}

function emitterText(resource: Resource): string {
  const names: EmitterNames = {};
  for (const name of emitterNames) if (resource[name] !== '') names[name] = resource[name];
  const text = JSON.stringify(names);
  return text === '{}' ? '' : text;
}
