/** The column `spans.emitter`: the names of who emitted a span as JSON, those that are not known left out; '' where none is. */

export const emitterNames = ['service', 'namespace', 'pod', 'container', 'node', 'version'] as const;

export type EmitterNames = Partial<Record<(typeof emitterNames)[number], string>>;
