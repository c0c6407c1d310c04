/** What OpenAPI 3.1 says about the topology from Istio's metrics. */

const name = { type: 'string' } as const;
const namesToTexts = { type: 'object', additionalProperties: name } as const;
const truth = { const: true } as const;

const traffic = {
  protocol: { enum: ['grpc', 'http', 'tcp'] },
  rates: {
    ...namesToTexts,
    description: 'By names such as httpIn5xx: requests or, over TCP, bytes per second, and percentages.',
  },
} as const;

const responses = {
  type: 'object',
  description: 'By code, the percentage of all traffic of the edge.',
  additionalProperties: {
    type: 'object',
    properties: { flags: namesToTexts, hosts: namesToTexts },
    additionalProperties: false,
  },
} as const;

/** The schemas of a node and of an edge as Kiali draws them. */
export const meshSchemas = {
  MeshNode: {
    type: 'object',
    required: ['id', 'nodeType', 'cluster', 'namespace', 'traffic'],
    properties: {
      id: name,
      nodeType: { enum: ['app', 'workload', 'service', 'unknown'] },
      cluster: name,
      namespace: name,
      app: name,
      version: name,
      workload: name,
      service: name,
      parent: { ...name, description: 'The same for the versions of one app.' },
      isRoot: { ...truth, description: 'It calls and is not called.' },
      isInjected: truth,
      isOutside: { ...truth, description: 'It is in none of the namespaces that were asked for.' },
      isInaccessible: { ...truth, description: 'It is outside of the mesh.' },
      traffic: {
        type: 'array',
        items: { type: 'object', required: ['protocol', 'rates'], properties: traffic, additionalProperties: false },
      },
      destServices: {
        type: 'array',
        description: 'The services that it was called by.',
        items: {
          type: 'object',
          required: ['cluster', 'namespace', 'name'],
          properties: { cluster: name, namespace: name, name },
          additionalProperties: false,
        },
      },
    },
    additionalProperties: false,
  },
  MeshEdge: {
    type: 'object',
    required: ['source', 'target', 'traffic'],
    properties: {
      source: { ...name, description: "The caller's id." },
      target: { ...name, description: "The callee's id." },
      traffic: {
        type: 'object',
        required: ['protocol', 'rates', 'responses'],
        properties: { ...traffic, responses },
        additionalProperties: false,
      },
    },
    additionalProperties: false,
  },
} as const;

/** What the topology is asked for besides a window. */
export const topologyParameters = [
  {
    name: 'source',
    in: 'query',
    description: "What is counted: spans unless given, or what Istio's proxies count.",
    schema: { enum: ['spans', 'metrics'] },
  },
  {
    name: 'namespace',
    in: 'query',
    description: 'With source=metrics: namespaces with commas between them, 20 at most; the whole mesh unless given.',
    schema: { type: 'string' },
  },
  {
    name: 'graph',
    in: 'query',
    description: 'With source=metrics: what nodes stand for, apps unless given.',
    schema: { enum: ['app', 'versionedApp', 'workload', 'service'] },
  },
] as const;
