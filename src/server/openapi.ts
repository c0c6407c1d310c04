/** What OpenAPI 3.1 says about the agent's own routes. The routes of other protocols are described where those protocols are. */

import { meshSchemas, topologyParameters } from './openapi-topology.ts';

const text = { 'text/plain': { schema: { type: 'string' } } } as const;
const jsonOf = (name: string) => ({ 'application/json': { schema: { $ref: `#/components/schemas/${name}` } } });
const answer = (description: string, content: object) => ({ description, content });
const nullable = (type: string) => ({ type: [type, 'null'] });
const count = { type: 'integer', minimum: 0 } as const;
const listOf = (items: object) => ({ type: 'array', items });
const texts = listOf({ type: 'string' });

/** An object that has exactly these properties. */
const record = (properties: Readonly<Record<string, object>>) => ({
  type: 'object',
  required: Object.keys(properties),
  properties,
  additionalProperties: false,
});

/** An object that has these properties, and may have the others. */
const recordWith = (required: Readonly<Record<string, object>>, others: Readonly<Record<string, object>>) => ({
  ...record(required),
  properties: { ...required, ...others },
});

const calls = {
  requests: count,
  requestsPerSecond: { type: 'number', minimum: 0 },
  errors: count,
  errorShare: { type: 'number', minimum: 0, maximum: 1 },
  p50Us: nullable('number'),
  p95Us: nullable('number'),
  p99Us: nullable('number'),
};

const labels = { type: 'object', additionalProperties: { type: 'string' } } as const;
const seconds = { type: 'number', minimum: 0 } as const;

const podProperties = {
  namespace: { type: 'string' },
  name: { type: 'string' },
  uid: { type: 'string' },
  node: { type: 'string' },
  phase: { type: 'string' },
  ip: { type: 'string' },
};

const findingProperties = {
  pod: { $ref: '#/components/schemas/Pod' },
  annotation: { type: 'string' },
  line: { type: ['integer', 'null'], description: "Within the annotation's value, from 1." },
  message: { type: 'string' },
};

const schemas = {
  Status: record({
    version: { type: 'string' },
    node: { type: 'string' },
    pid: { type: 'integer' },
    uptimeSeconds: { type: 'number' },
    ready: { type: 'boolean' },
    notReady: { ...texts, description: 'Why not, a sentence each.' },
    listeners: listOf(record({ url: { type: 'string' }, paths: { oneOf: [{ const: 'all' }, texts] } })),
    components: listOf({ $ref: '#/components/schemas/Component' }),
  }),
  Component: record({
    component: { type: 'string', description: 'E.g. inputs.zipkin, or outputs.zipkin#2 for the third of its kind.' },
    healthy: nullable('boolean'),
    health: { ...nullable('string'), description: 'One line that a person can act on; null once it was removed.' },
    lastSeen: { ...nullable('string'), format: 'date-time' },
    lastError: nullable('string'),
    lastErrorAt: { ...nullable('string'), format: 'date-time' },
    received: count,
    kept: count,
    refused: count,
    dropped: count,
  }),
  Topology: record({
    start: { type: 'string', format: 'date-time' },
    end: { type: 'string', format: 'date-time' },
    nodes: listOf(
      recordWith(
        {
          service: { type: 'string' },
          spans: { type: ['integer', 'null'], minimum: 0, description: 'Null with source=metrics.' },
          ...calls,
        },
        { mesh: { $ref: '#/components/schemas/MeshNode' } },
      ),
    ),
    edges: listOf(
      recordWith(
        { caller: { type: 'string' }, callee: { type: 'string' }, ...calls },
        { mesh: { $ref: '#/components/schemas/MeshEdge' } },
      ),
    ),
  }),
  ...meshSchemas,
  Measurements: record({
    measurements: listOf(
      record({
        measurement: { type: 'string' },
        fields: texts,
        tagKeys: { ...texts, description: 'The labels of its series.' },
        series: count,
        lastSample: {
          ...nullable('string'),
          format: 'date-time',
          description: 'Null where it is more than a day old.',
        },
        lastDay: { type: 'string', format: 'date', description: 'The day of the newest sample, UTC.' },
      }),
    ),
    truncated: { type: 'boolean', description: 'Whether there are more.' },
  }),
  Plan: record({
    query: { type: 'string' },
    points: { ...count, description: 'Of the range; 1 for one moment.' },
    series: { ...nullable('integer'), description: 'Of the answer; null where that is one number or text.' },
    tookMs: { type: 'number', minimum: 0 },
    evaluationMs: {
      ...nullable('number'),
      description: 'What of that was spent in the agent, behind what the store did.',
    },
    plan: { $ref: '#/components/schemas/PlanPart' },
  }),
  PlanPart: record({
    expression: { type: 'string' },
    by: { enum: ['engine', 'agent'], description: "The store's engine, or the agent from the parts below." },
    how: { type: 'string' },
    series: { ...nullable('integer'), description: 'That came from the store; null where it was asked for nothing.' },
    leftToAgent: {
      ...nullable('integer'),
      description: 'Series among them that hold NaN or an infinity, for which the agent reads the samples.',
    },
    values: { ...nullable('integer'), description: 'Samples or points that came from the store.' },
    rowsRead: { ...nullable('integer'), description: 'Rows that the store went through, as its index has it.' },
    tookMs: nullable('number'),
    parts: listOf({ $ref: '#/components/schemas/PlanPart' }),
  }),
  Pod: record(podProperties),
  KnownPod: record({
    ...podProperties,
    annotations: { ...texts, description: 'Those of its annotations that may ask for a scrape.' },
    notScraped: { ...nullable('string'), description: 'Why nothing of it is scraped now, such as that it is Pending.' },
  }),
  Target: record({
    url: { type: 'string' },
    component: { type: 'string', description: 'inputs.prom and the like, or discovery.' },
    origin: { type: 'string', description: 'The block of the configuration, or the pod and its annotation.' },
    pod: { oneOf: [{ type: 'null' }, { $ref: '#/components/schemas/Pod' }] },
    annotation: nullable('string'),
    discoveredLabels: labels,
    labels,
    intervalSeconds: seconds,
    timeoutSeconds: seconds,
    health: { enum: ['unknown', 'up', 'down'] },
    lastScrape: { ...nullable('string'), format: 'date-time' },
    lastDurationSeconds: { type: ['number', 'null'], minimum: 0 },
    samples: count,
    hasAnswered: {
      type: 'boolean',
      description: 'Whether the last scrape brought a page, be it one that cannot be read.',
    },
    lastError: nullable('string'),
    lastWarning: nullable('string'),
  }),
  Targets: record({
    sources: listOf(
      record({
        name: { type: 'string' },
        healthy: { type: 'boolean' },
        state: { type: 'string' },
        pods: { type: ['integer', 'null'], description: 'null until there has been a complete set.' },
      }),
    ),
    targets: listOf({ $ref: '#/components/schemas/Target' }),
    leftOut: listOf(
      record({
        url: { type: 'string' },
        component: { type: 'string' },
        discoveredLabels: labels,
        why: { type: 'string' },
      }),
    ),
    refused: listOf(
      record({
        ...findingProperties,
        reason: { enum: ['malformed', 'not_this_pod', 'not_allowed', 'over_limit', 'duplicate'] },
      }),
    ),
    warnings: listOf(record(findingProperties)),
    pods: listOf({ $ref: '#/components/schemas/KnownPod' }),
  }),
  PromqlFailure: record({
    status: { const: 'error' },
    errorType: { type: 'string' },
    error: { type: 'string' },
  }),
  Flushed: record({ flushed: { const: true } }),
  Failure: record({ error: { type: 'string' } }),
  Applied: record({ applied: { const: true }, changes: texts }),
  NotApplied: record({ applied: { const: false }, problems: texts }),
} as const;

const time = 'Unix seconds, milliseconds, microseconds or nanoseconds, or RFC 3339.';
const timeParameter = (name: string, otherwise: string) => ({
  name,
  in: 'query',
  description: `${time} ${otherwise}`,
  schema: { type: 'string' },
});

const promTimeParameter = (name: string, more: string) => ({
  name,
  in: 'query',
  description: `Unix seconds or RFC 3339. ${more}`,
  schema: { type: 'string' },
});

const token = [{}, { bearer: [] }];
const refusals = {
  '401': answer('The token is missing or wrong.', text),
  '403': answer('Not from here; the body says what to do.', text),
};

const paths = {
  '/': {
    get: {
      summary: 'What this is, and what to send first.',
      responses: {
        '200': answer('A page for browsers, text for everybody else.', {
          ...text,
          'text/html': { schema: { type: 'string' } },
        }),
      },
    },
  },
  '/-/healthy': {
    get: {
      summary: 'Whether the process is alive, whatever the store does.',
      responses: { '200': answer('It is.', text) },
    },
  },
  '/-/ready': {
    get: {
      summary: 'Whether queries are answered.',
      responses: { '200': answer('They are.', text), '503': answer('Why they are not, a line each.', text) },
    },
  },
  '/metrics': {
    get: {
      summary: "The agent's own metrics, in Prometheus' text format.",
      responses: { '200': answer('The metrics.', text) },
    },
  },
  '/api/trawl/openapi.json': {
    get: {
      summary: 'This document.',
      responses: { '200': answer('OpenAPI 3.1.', { 'application/json': { schema: { type: 'object' } } }) },
    },
  },
  '/api/trawl/status': {
    get: {
      summary: 'Each input and output, and the store: when it last saw data, and what last went wrong.',
      security: token,
      responses: { '200': answer('The status.', jsonOf('Status')), ...refusals },
    },
  },
  '/api/trawl/topology': {
    get: {
      summary: 'Who calls whom, how often, how well and how fast.',
      security: token,
      parameters: [
        timeParameter('start', 'An hour before the end unless given.'),
        timeParameter('end', 'Now unless given.'),
        ...topologyParameters,
      ],
      responses: {
        '200': answer('The services and the calls between them.', jsonOf('Topology')),
        '400': answer('A parameter makes no sense; the body says which and why.', text),
        ...refusals,
        '422': answer('It is more than a query may read; the body says which limit that is.', text),
        '503': answer('The store is away, or was too slow.', text),
      },
    },
  },
  '/api/trawl/measurements': {
    get: {
      summary: 'Metrics by measurement and field, as DataKit groups them.',
      security: token,
      responses: {
        '200': answer('Every measurement, by name.', jsonOf('Measurements')),
        ...refusals,
        '503': answer('The store is away.', text),
      },
    },
  },
  '/api/trawl/promql/explain': {
    get: {
      summary: 'How a query in PromQL is answered: what the engine computes, what the agent does, and what each takes.',
      security: token,
      parameters: [
        { name: 'query', in: 'query', required: true, description: 'PromQL.', schema: { type: 'string' } },
        promTimeParameter('time', 'Now unless given.'),
        promTimeParameter('start', 'With it, a range is explained.'),
        promTimeParameter('end', 'The end of the range.'),
        {
          name: 'step',
          in: 'query',
          description: "Between the range's points: seconds, or 1m.",
          schema: { type: 'string' },
        },
      ],
      responses: {
        '200': answer('The plan, with what it took.', jsonOf('Plan')),
        '400': answer("The query is refused, in the shape of Prometheus's API.", jsonOf('PromqlFailure')),
        ...refusals,
        '422': answer('It goes beyond a limit.', jsonOf('PromqlFailure')),
        '503': answer('It did not end in time, or the store is away.', jsonOf('PromqlFailure')),
      },
    },
  },
  '/api/trawl/targets': {
    get: {
      summary: 'What is scraped and how that goes, and which annotations of pods are refused and why.',
      security: token,
      parameters: [
        {
          name: 'pod',
          in: 'query',
          description: 'NAMESPACE/NAME: what concerns this pod alone; all pods with an annotation unless given.',
          schema: { type: 'string' },
        },
      ],
      responses: {
        '200': answer('The targets.', jsonOf('Targets')),
        '400': answer('The pod is not named as NAMESPACE/NAME.', text),
        ...refusals,
      },
    },
  },
  '/api/trawl/flush': {
    post: {
      summary: 'Waits until everything acknowledged before can be queried.',
      responses: {
        '200': answer('It can be.', jsonOf('Flushed')),
        '403': refusals['403'],
        '503': answer('It cannot be now.', jsonOf('Failure')),
      },
    },
  },
  '/-/reload': {
    post: {
      summary: 'Reads the configuration anew and applies it whole, or not at all.',
      responses: {
        '200': answer('It is applied.', jsonOf('Applied')),
        '400': answer('It is not; the old one goes on.', jsonOf('NotApplied')),
        '403': refusals['403'],
      },
    },
  },
} as const;

/** The document that `GET /api/trawl/openapi.json` answers. */
export function openApiDocument(version: string): object {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Trawl',
      version,
      description:
        "The agent's own routes. It also serves Zipkin's, Jaeger's, Prometheus' and Loki's, as those describe them.",
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    paths,
    components: { schemas, securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
  };
}
